#pragma once

#include "common/net/ip.hpp"
#include "common/net/mac.hpp"
#include "common/wire/reader.hpp"

#include <array>
#include <cstring>

// Fields both codecs read. Private to the room.
namespace steelyard::l2 {

inline net::MacAddress read_mac(wire::Reader& in) {
    net::MacAddress mac;
    const auto bytes = in.bytes(mac.bytes.size());
    if (bytes.size() == mac.bytes.size()) {
        std::memcpy(mac.bytes.data(), bytes.data(), bytes.size());
    }
    return mac;
}

inline net::IpAddress read_ipv6(wire::Reader& in) {
    std::array<std::uint8_t, 16> address{};
    const auto bytes = in.bytes(address.size());
    if (bytes.size() == address.size()) {
        std::memcpy(address.data(), bytes.data(), bytes.size());
    }
    return net::IpAddress::v6(address);
}

}  // namespace steelyard::l2
