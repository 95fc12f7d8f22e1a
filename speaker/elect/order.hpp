#pragma once

#include "common/net/ip.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

// The two hash orders. Private to the room.
namespace steelyard::elect {

// SHA-256(node + "#" + address text), as MetalLB's speaker computes it; lowest comes first.
class MetalLbHash {
public:
    using Digest = std::array<std::uint8_t, 32>;

    MetalLbHash();
    ~MetalLbHash();
    MetalLbHash(const MetalLbHash&) = delete;
    MetalLbHash& operator=(const MetalLbHash&) = delete;
    [[nodiscard]] Digest operator()(std::string_view node, std::string_view address_text);

private:
    struct Context;
    std::unique_ptr<Context> context_;
};

// Rendezvous (highest random weight) hashing: seeds are computed once a node and once an address,
// the score of a pair costs one multiply-xorshift round; highest comes first.
[[nodiscard]] std::uint64_t node_seed(std::string_view name);
[[nodiscard]] std::uint64_t address_seed(const net::IpAddress& address);

[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t value) {
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31U);
}

[[nodiscard]] constexpr std::uint64_t score(std::uint64_t node, std::uint64_t address) {
    return mix(node ^ address);
}

}  // namespace steelyard::elect
