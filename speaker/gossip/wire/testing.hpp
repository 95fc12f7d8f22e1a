#pragma once

#include "speaker/gossip/wire/crypto.hpp"

#include <cstdint>
#include <memory>
#include <string_view>

// Helpers of this room's tests.
namespace steelyard::gossip_wire {

inline wire::Bytes from_hex(std::string_view hex) {
    const auto digit = [](char c) {
        return c <= '9' ? c - '0' : c - 'a' + 10;
    };
    wire::Bytes out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        out.push_back(static_cast<std::byte>(digit(hex[i]) * 16 + digit(hex[i + 1])));
    }
    return out;
}

inline wire::Bytes bytes_of(std::string_view text) {
    const auto raw = std::as_bytes(std::span(text));
    return {raw.begin(), raw.end()};
}

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
