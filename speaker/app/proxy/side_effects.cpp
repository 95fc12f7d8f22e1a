#include "speaker/app/proxy/side_effects.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace steelyard::speaker {
namespace {

constexpr std::array kFamilies{net::Family::V4, net::Family::V6};

void put(
    std::map<net::Family, std::set<kube::ObjectKey>>& keys,
    const kube::ObjectKey& key,
    const proxy::Families& in
) {
    for (const net::Family family : kFamilies) {
        if (in.contains(family)) {
            keys[family].insert(key);
        } else {
            keys[family].erase(key);
        }
    }
}

std::size_t count(
    const std::map<net::Family, std::set<kube::ObjectKey>>& keys, net::Family family
) {
    const auto found = keys.find(family);
    return found == keys.end() ? 0 : found->second.size();
}

bool restricts(const std::vector<net::Prefix>& ranges, net::Family family) {
    const auto of_family = [family](const net::Prefix& range) {
        return range.address().family() == family;
    };
    const auto everything = [&](const net::Prefix& range) {
        return of_family(range) && range.length() == 0;
    };
    return std::ranges::any_of(ranges, of_family) && std::ranges::none_of(ranges, everything);
}

}  // namespace

std::optional<std::vector<net::IpAddress>> listening_addresses(const proxy::Context& context) {
    const proxy::ProxyConfig& config = context.config;
    const auto& ranges = config.node_port_addresses;
    std::vector<net::IpAddress> addresses;
    if (config.node_port_primary) {
        for (const auto& [family, address] : context.node_ips) {
            addresses.push_back(address);
        }
        return addresses;
    }
    bool restricted = false;
    for (const net::Family family : kFamilies) {
        if (!restricts(ranges, family)) {
            addresses.push_back(
                family == net::Family::V4 ? net::IpAddress() : net::IpAddress::v6({})
            );
            continue;
        }
        restricted = true;
        for (const net::IpAddress& address : context.node_addresses) {
            const auto inside = [&](const net::Prefix& range) {
                return range.contains(address);
            };
            if (address.family() == family && std::ranges::any_of(ranges, inside)) {
                addresses.push_back(address);
            }
        }
    }
    return restricted ? std::optional(std::move(addresses)) : std::nullopt;
}

std::vector<Complaint> SideEffects::follow(const proxy::Changes& changes) {
    std::vector<Complaint> fresh;
    for (const auto& [key, tables] : changes.services) {
        if (!tables) {
            forget(key);
            continue;
        }
        put(no_internal_, key, tables->no_local_internal);
        put(no_external_, key, tables->no_local_external);
        set_health(key, *tables);
        std::set<std::string> lines(tables->complaints.begin(), tables->complaints.end());
        const auto told = complaints_.find(key);
        for (const std::string& line : lines) {
            if (told == complaints_.end() || !told->second.contains(line)) {
                fresh.push_back({key, line});
            }
        }
        if (lines.empty()) {
            complaints_.erase(key);
        } else {
            complaints_[key] = std::move(lines);
        }
    }
    return fresh;
}

void SideEffects::set_health(const kube::ObjectKey& service, const proxy::ServiceTables& tables) {
    if (tables.health_check_node_port == 0) {
        health_changed_ = health_.erase(service) > 0 || health_changed_;
        return;
    }
    const health::ServiceHealth next{
        service, tables.health_check_node_port, tables.local_ready_endpoints};
    health::ServiceHealth& health = health_[service];
    health_changed_ = health_changed_ || health != next;
    health = next;
}

void SideEffects::forget(const kube::ObjectKey& service) {
    set_health(service, {});
    complaints_.erase(service);
    put(no_internal_, service, {});
    put(no_external_, service, {});
}

std::size_t SideEffects::without_local_internal(net::Family family) const {
    return count(no_internal_, family);
}

std::size_t SideEffects::without_local_external(net::Family family) const {
    return count(no_external_, family);
}

std::optional<std::vector<health::ServiceHealth>> SideEffects::take_health_ports() {
    if (!std::exchange(health_changed_, false)) {
        return std::nullopt;
    }
    std::vector<health::ServiceHealth> list;
    list.reserve(health_.size());
    for (const auto& [key, health] : health_) {
        list.push_back(health);
    }
    return list;
}

}  // namespace steelyard::speaker
