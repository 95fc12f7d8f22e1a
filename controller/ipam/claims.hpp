#pragma once

#include "common/kube/model/meta.hpp"
#include "common/net/ip.hpp"

#include <map>
#include <set>
#include <unordered_map>
#include <vector>

// Addresses that AddressReservations keep for a Service, by address and by Service. One address may
// be kept for several Services: those that shared it.
namespace steelyard::ipam {

struct Claim {
    kube::ObjectKey reservation;
    kube::ObjectKey service;
    std::vector<net::IpAddress> addresses;
    friend bool operator==(const Claim&, const Claim&) = default;
};

class Claims {
public:
    void add(Claim claim);  // of a reservation that has none
    void erase(const kube::ObjectKey& reservation);

    [[nodiscard]] bool empty() const { return claims_.empty(); }
    [[nodiscard]] const Claim* find(const kube::ObjectKey& reservation) const;
    // In the order of the reservations' names.
    [[nodiscard]] const std::vector<const Claim*>& on(const net::IpAddress& address) const;
    [[nodiscard]] bool claimed(const net::IpAddress& address) const { return !on(address).empty(); }
    // Sorted, each once.
    [[nodiscard]] std::vector<net::IpAddress> kept_for(const kube::ObjectKey& service) const;
    // Every claimed address once, in no particular order.
    [[nodiscard]] std::vector<net::IpAddress> addresses() const;

private:
    std::map<kube::ObjectKey, Claim> claims_;  // by reservation
    std::map<kube::ObjectKey, std::set<kube::ObjectKey>> by_service_;
    std::unordered_map<net::IpAddress, std::vector<const Claim*>> by_address_;  // into claims_
};

}  // namespace steelyard::ipam
