#include "controller/ipam/claims.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::ipam {

void Claims::add(Claim claim) {
    const kube::ObjectKey reservation = claim.reservation;
    const Claim& added = claims_.emplace(reservation, std::move(claim)).first->second;
    by_service_[added.service].insert(reservation);
    for (const net::IpAddress& address : added.addresses) {
        auto& list = by_address_[address];
        const auto at = std::find_if(list.begin(), list.end(), [&](const Claim* other) {
            return reservation < other->reservation;
        });
        list.insert(at, &added);
    }
}

void Claims::erase(const kube::ObjectKey& reservation) {
    const auto found = claims_.find(reservation);
    if (found == claims_.end()) {
        return;
    }
    const Claim& claim = found->second;
    for (const net::IpAddress& address : claim.addresses) {
        const auto list = by_address_.find(address);
        std::erase(list->second, &claim);
        if (list->second.empty()) {
            by_address_.erase(list);
        }
    }
    const auto service = by_service_.find(claim.service);
    service->second.erase(reservation);
    if (service->second.empty()) {
        by_service_.erase(service);
    }
    claims_.erase(found);
}

const Claim* Claims::find(const kube::ObjectKey& reservation) const {
    const auto found = claims_.find(reservation);
    return found == claims_.end() ? nullptr : &found->second;
}

const std::vector<const Claim*>& Claims::on(const net::IpAddress& address) const {
    static const std::vector<const Claim*> kNone;
    if (by_address_.empty()) {
        return kNone;
    }
    const auto found = by_address_.find(address);
    return found == by_address_.end() ? kNone : found->second;
}

std::vector<net::IpAddress> Claims::kept_for(const kube::ObjectKey& service) const {
    std::vector<net::IpAddress> list;
    const auto found = by_service_.find(service);
    if (found != by_service_.end()) {
        for (const kube::ObjectKey& reservation : found->second) {
            const Claim& claim = claims_.at(reservation);
            list.insert(list.end(), claim.addresses.begin(), claim.addresses.end());
        }
        std::sort(list.begin(), list.end());
        list.erase(std::unique(list.begin(), list.end()), list.end());
    }
    return list;
}

std::vector<net::IpAddress> Claims::addresses() const {
    std::vector<net::IpAddress> list;
    list.reserve(by_address_.size());
    for (const auto& [address, claims] : by_address_) {
        list.push_back(address);
    }
    return list;
}

}  // namespace steelyard::ipam
