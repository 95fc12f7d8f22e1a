#pragma once

#include "common/wire/testing.hpp"
#include "speaker/gossip/wire/crypto.hpp"

#include <cstdint>
#include <memory>
#include <span>

// Helpers of this room's tests.
namespace steelyard::gossip_wire {

using wire::bytes_of;
using wire::from_hex;

// Not random at all, but never the same nonce twice.
inline RandomBytes counting_bytes() {
    const auto counter = std::make_shared<std::uint8_t>(std::uint8_t{0});
    return [counter](std::span<std::byte> out) {
        ++*counter;
        for (std::byte& byte : out) {
            byte = static_cast<std::byte>(*counter);
        }
    };
}

}  // namespace steelyard::gossip_wire
