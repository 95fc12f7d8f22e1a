#include "speaker/proxy/conntrack/stale.hpp"

#include <algorithm>

namespace steelyard::conntrack {
namespace {

using net::Endpoint;
using net::Family;
using net::Protocol;
using proxy::VirtualServerKey;

bool is_frontend(const VirtualServerKey& key) {
    return key.mark == 0 && key.protocol == Protocol::Udp;
}

void add_real_servers(
    Frontends& frontends,
    const Endpoint& frontend,
    const Lookup& lookup,
    const VirtualServerKey& server
) {
    frontends.add(frontend);
    const proxy::RealServers* const real_servers = lookup.real_servers(server);
    if (real_servers == nullptr) {
        return;
    }
    for (const auto& [real_server, weight] : *real_servers) {
        frontends.add(frontend, real_server);
    }
}

}  // namespace

std::size_t Frontends::Hash::operator()(const Endpoint& endpoint) const noexcept {
    constexpr std::size_t kOdd = 0x9e3779b97f4a7c15;
    return (std::hash<net::IpAddress>()(endpoint.address) ^ endpoint.port) * kOdd;
}

Frontends Frontends::of(const Lookup& lookup, const std::set<VirtualServerKey>& changed) {
    Frontends frontends;
    for (const VirtualServerKey& key : changed) {
        if (is_frontend(key)) {
            add_real_servers(frontends, key.endpoint, lookup, key);
        }
    }
    lookup.marked([&](const proxy::SetElement& element, std::uint32_t mark) {
        const Endpoint frontend{element.entry.ip, element.entry.port};
        const VirtualServerKey marked = proxy::by_mark(mark, element.set.family);
        if (element.entry.protocol != Protocol::Udp ||
            (!changed.contains(marked) && !frontends.real_servers_.contains(frontend))) {
            return;
        }
        add_real_servers(frontends, frontend, lookup, {Protocol::Udp, frontend, 0});
        add_real_servers(frontends, frontend, lookup, marked);
    });
    return frontends;
}

void Frontends::add(const Endpoint& frontend, const Endpoint& real_server) {
    std::vector<Endpoint>& known = real_servers_[frontend];
    if (std::ranges::find(known, real_server) == known.end()) {
        known.push_back(real_server);
    }
}

void Frontends::add(const Endpoint& frontend) {
    real_servers_.try_emplace(frontend);
}

bool Frontends::is_stale(const Flow& flow) const {
    if (flow.protocol != Protocol::Udp || flow.zone != 0) {
        return false;
    }
    const auto found = real_servers_.find(flow.destination);
    return found != real_servers_.end() &&
           std::ranges::find(found->second, flow.reply_source) == found->second.end();
}

bool Frontends::has(Family family) const {
    return std::ranges::any_of(real_servers_, [family](const auto& frontend) {
        return frontend.first.address.family() == family;
    });
}

}  // namespace steelyard::conntrack
