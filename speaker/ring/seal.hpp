#pragma once

#include "speaker/gossip/wire/crypto.hpp"
#include "speaker/ring/wire.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

struct evp_cipher_ctx_st;

// Authenticity and freshness of ring packets: AES-256-GCM (NIST SP 800-38D) under a key of its own
// for every ordered pair of nodes and their boots, derived from the gossip key by HKDF-SHA256 (RFC
// 5869). So a packet of another sender, receiver or boot does not open. The nonce is the pair's
// packet counter, which starts at 1 and never repeats. Without a gossip key, the keys come from
// nothing and guard against accidents only.
namespace steelyard::ring {

using Secret = std::array<std::byte, 32>;

struct Boot {
    std::string_view name;
    std::uint64_t epoch = 0;
};

// HKDF-Extract of one gossip key.
[[nodiscard]] Secret extract(std::span<const std::byte> gossip_key);
// HKDF-Expand for packets from `sender` to `receiver`.
[[nodiscard]] Secret pair_key(const Secret& master, const Boot& sender, const Boot& receiver);

// Seals and opens packets; keeps OpenSSL's context, so that no packet allocates one.
class Cipher {
public:
    Cipher();

    // `packet` is header | room for the body | room for the tag; the body is `body`.
    void seal(
        const Secret& key,
        std::uint64_t counter,
        std::span<const std::byte> body,
        std::span<std::byte> packet
    );
    // The body written into `out`, or false. `packet` must be kHeader + kTag bytes at least and
    // kMaxPacket at most.
    bool open(
        const Secret& key,
        std::uint64_t counter,
        std::span<const std::byte> packet,
        std::span<std::byte, kMaxBody> out
    );

private:
    struct Free {
        void operator()(evp_cipher_ctx_st* context) const;
    };
    std::unique_ptr<evp_cipher_ctx_st, Free> context_;
};

// Which counters of a sender have been seen (RFC 4303 section 3.4.3): a counter is fresh once, and
// stale when kWidth behind the highest.
class ReplayWindow {
public:
    static constexpr std::uint64_t kWidth = 64;
    [[nodiscard]] bool fresh(std::uint64_t counter) const;
    void mark(std::uint64_t counter);  // only of a packet that opened

private:
    std::uint64_t highest_ = 0;
    std::uint64_t seen_ = 0;  // bit n: highest - n
};

}  // namespace steelyard::ring
