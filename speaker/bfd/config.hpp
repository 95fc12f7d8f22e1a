#pragma once

#include "common/base/time.hpp"
#include "common/net/ip.hpp"

#include <cstdint>
#include <optional>
#include <string>

// What one BFD session is to be: whom it watches and how fast. The defaults of Profile are FRR's,
// which are MetalLB's for an unset field of a BFDProfile.
namespace steelyard::bfd {

using namespace std::chrono_literals;

struct Profile {
    Duration receive = 300ms;     // Required Min RX: as fast as the peer may send to us
    Duration transmit = 300ms;    // Desired Min TX: as fast as we want to send
    std::uint8_t multiplier = 3;  // of our packets in a row the peer misses before it says Down
    bool echo = false;            // RFC 5880 6.4; single hop only, not over link-local addresses
    Duration echo_interval = 50ms;
    bool passive = false;            // does not speak before the peer did (RFC 5880 6.1)
    std::uint8_t minimum_ttl = 254;  // multihop only: what arrives with less is dropped

    friend bool operator==(const Profile&, const Profile&) = default;
};

struct SessionConfig {
    std::string key;  // the caller's name for it, unique
    net::IpAddress remote;
    std::optional<net::IpAddress> local;  // else the kernel chooses by route
    std::string interface;                // "": any; needed for a link-local remote
    std::string vrf;                      // "": the default one
    bool multihop = false;                // RFC 5883, port 4784
    Profile profile;

    friend bool operator==(const SessionConfig&, const SessionConfig&) = default;
};

// Whether both describe the same session, so that the one becomes the other without a flap: only
// the profile may differ.
[[nodiscard]] bool same_session(const SessionConfig& one, const SessionConfig& other);

}  // namespace steelyard::bfd
