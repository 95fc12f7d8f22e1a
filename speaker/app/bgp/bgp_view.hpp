#pragma once

#include "common/config/config.hpp"
#include "common/kube/model/core.hpp"
#include "speaker/app/bgp/wire_bgp.hpp"
#include "speaker/plan/bgp.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Conversions between what the rooms of BGP say about the same thing; pure. The planner, the
// configuration and the protocol rooms do not know each other, so they meet here.
namespace steelyard::speaker {

// The BGP identifier of a node whose peers do not set one: its first IPv4 address, or, on a node
// with IPv6 alone, a number that is the same after each restart. Never 0.
[[nodiscard]] std::uint32_t default_router_id(const kube::Node& node);

// `profiles` are looked up by name; the configuration holds every one a peer names.
[[nodiscard]] BgpPeers wire_peers(
    const std::vector<const config::BgpPeer*>& peers,
    const config::Config& config,
    std::uint32_t router_id
);

[[nodiscard]] bgp_rib::Changes rib_changes(const speaker_plan::BgpChanges& changes);

}  // namespace steelyard::speaker
