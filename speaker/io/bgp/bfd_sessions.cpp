#include "speaker/io/bgp/bfd_sessions.hpp"

#include <utility>

namespace steelyard::io {

bgp::BfdState as_bgp_sees(bfd::State state) {
    switch (state) {
        case bfd::State::AdminDown:
            return bgp::BfdState::AdminDown;
        case bfd::State::Down:
            return bgp::BfdState::Down;
        case bfd::State::Init:
            return bgp::BfdState::Init;
        case bfd::State::Up:
            return bgp::BfdState::Up;
    }
    return bgp::BfdState::None;
}

std::vector<bfd::SessionConfig> bfd_sessions(
    const std::vector<BfdWanted>& wanted, const BfdProfiles& profiles
) {
    std::vector<bfd::SessionConfig> sessions;
    for (const BfdWanted& one : wanted) {
        const auto profile = profiles.find(one.peer);
        if (profile == profiles.end()) {
            continue;
        }
        bfd::SessionConfig session;
        session.key = one.peer;
        session.remote = one.remote;
        session.local = one.local;
        session.interface = one.interface;
        session.vrf = one.vrf;
        session.multihop = one.multihop;
        session.profile = profile->second;
        sessions.push_back(std::move(session));
    }
    return sessions;
}

}  // namespace steelyard::io
