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
// the score of a pair costs one multiplication; highest comes first. All speakers of a ring must
// compute the same: a change of these functions is a change of protocol.
[[nodiscard]] std::uint64_t node_seed(std::string_view name);
[[nodiscard]] std::uint64_t address_seed(const net::IpAddress& address);

__extension__ using Product = unsigned __int128;

// Both seeds are well mixed already; folding the 128-bit product keeps every bit of both in play.
[[nodiscard]] constexpr std::uint64_t score(std::uint64_t node, std::uint64_t address) {
    const Product product = static_cast<Product>(node) * address;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

}  // namespace steelyard::elect
