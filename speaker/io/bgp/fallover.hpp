#pragma once

#include "common/net/interface.hpp"
#include "speaker/bgp/session/action.hpp"
#include "speaker/bgp/session/peer_config.hpp"

#include <string>
#include <vector>

// Whether a change of this node's interfaces took an established session its ground, so that it can
// end at once: its own address is gone, or the link to an eBGP neighbour of one hop is (what
// routers call fast external fallover). What was never seen is no loss. Pure.
namespace steelyard::io {

// One clause, or nothing when the session can go on.
[[nodiscard]] std::string cut_off(
    const bgp::PeerConfig& config,
    const bgp::Endpoints& ends,
    bool ibgp,
    const std::vector<net::Interface>& before,
    const std::vector<net::Interface>& now
);

}  // namespace steelyard::io
