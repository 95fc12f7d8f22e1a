#pragma once

#include "controller/ipam/allocator.hpp"

#include <memory>
#include <string>
#include <vector>

// Short ways to write pools and Services in this room's tests.
namespace steelyard::ipam::test {

inline config::Pool pool(std::string name, const std::vector<std::string>& ranges) {
    config::Pool made;
    made.name = std::move(name);
    for (const std::string& range : ranges) {
        made.ranges.push_back(*net::Range::parse(range));
    }
    return made;
}

inline std::shared_ptr<const config::Config> pools(std::vector<config::Pool> list) {
    auto made = std::make_shared<config::Config>();
    made->pools = std::move(list);
    return made;
}

inline net::IpAddress ip(const std::string& text) {
    return *net::IpAddress::parse(text);
}

inline Request request(std::string name) {
    Request made;
    made.service = {"default", std::move(name)};
    made.families = {net::Family::V4};
    made.sharing.ports = {{net::Protocol::Tcp, 80}};
    return made;
}

inline std::vector<std::string> texts(const Verdict<Assignment>& verdict) {
    std::vector<std::string> list;
    if (!verdict) {
        return {std::string(to_string(verdict.error().reason))};
    }
    for (const net::IpAddress& address : verdict->addresses) {
        list.push_back(to_string(address));
    }
    return list;
}

}  // namespace steelyard::ipam::test
