#pragma once

#include "common/base/error.hpp"
#include "common/net/ip.hpp"
#include "speaker/bgp/session/peer_config.hpp"
#include "speaker/bgp/session/trouble.hpp"

// What to say when no connection came about.
namespace steelyard::bgp {

[[nodiscard]] Trouble no_address(const PeerConfig& config);
// Connected with it, but nothing is heard.
[[nodiscard]] Trouble no_open(const PeerConfig& config, const net::IpAddress& remote);
// A passive peer that does not call.
[[nodiscard]] Trouble no_call();
// Silence has several causes that look the same from here.
[[nodiscard]] Trouble no_answer(const PeerConfig& config, const net::Endpoint& remote);
[[nodiscard]] Trouble connect_failed(
    const PeerConfig& config, const net::Endpoint& remote, const Error& error
);

}  // namespace steelyard::bgp
