#pragma once

#include "common/net/prefix.hpp"
#include "speaker/bgp/wire/attributes.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What the planner wants announced, free of any session: a prefix, and for whom with which
// attributes. The order of communities, peers, routes and removals means nothing.
namespace steelyard::bgp_rib {

struct Attributes {
    std::optional<std::uint32_t> local_pref;  // iBGP only; absent: the session's default
    std::optional<std::uint32_t> med;
    unsigned prepend = 0;  // times our AS is repeated, eBGP only
    std::vector<std::uint32_t> communities;
    std::vector<bgp_wire::LargeCommunity> large;
    std::vector<bgp_wire::ExtendedCommunity> extended;
    std::optional<std::uint32_t> link_bandwidth_weight;  // ready endpoints on this node
    friend auto operator<=>(const Attributes&, const Attributes&) = default;
};

struct Path {
    std::vector<std::string> peers;  // names; empty: every peer
    Attributes attributes;
    friend auto operator<=>(const Path&, const Path&) = default;
};

struct Route {
    net::Prefix prefix;
    std::vector<Path> paths;  // the first that names a peer is its route; none: not for that peer
};

// A difference between two plans. Removals apply first.
struct Changes {
    std::vector<Route> upsert;
    std::vector<net::Prefix> remove;
};

}  // namespace steelyard::bgp_rib
