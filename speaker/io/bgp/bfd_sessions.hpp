#pragma once

#include "speaker/bfd/config.hpp"
#include "speaker/bfd/packet.hpp"
#include "speaker/bgp/session/state.hpp"
#include "speaker/io/bgp/bgp_driver.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

// What the BGP and the BFD driver have to tell each other, in each other's words. Pure.
namespace steelyard::io {

using BfdProfiles = std::map<std::string, bfd::Profile, std::less<>>;  // by peer

[[nodiscard]] bgp::BfdState as_bgp_sees(bfd::State state);
// The wanted sessions, of peers that have a profile.
[[nodiscard]] std::vector<bfd::SessionConfig> bfd_sessions(
    const std::vector<BfdWanted>& wanted, const BfdProfiles& profiles
);

}  // namespace steelyard::io
