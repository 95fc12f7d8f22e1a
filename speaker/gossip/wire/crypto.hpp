#pragma once

#include "common/base/error.hpp"
#include "common/wire/writer.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

// memberlist's encryption: AES-GCM with a key of 16, 24 or 32 bytes. Sealed bytes are
// version (1) | nonce (12) | ciphertext | tag (16); version 0 pads the plain text by PKCS#7 first,
// version 1 does not. Bytes that do not open are
// refused (refusal.hpp) as WrongKey or Malformed; never is it told which key was tried.
namespace steelyard::gossip_wire {

using Key = std::vector<std::byte>;

// Fills a buffer with bytes nobody can guess. The shell injects the real source; nonces must never
// repeat under one key.
using RandomBytes = std::function<void(std::span<std::byte>)>;

// Seals with the first key, opens with any. Without keys there is no encryption at all.
class KeyRing {
public:
    KeyRing() = default;
    static Result<KeyRing> make(std::vector<Key> keys);

    [[nodiscard]] bool enabled() const { return !keys_.empty(); }
    [[nodiscard]] const std::vector<Key>& keys() const { return keys_; }

private:
    explicit KeyRing(std::vector<Key> keys) : keys_(std::move(keys)) {}
    std::vector<Key> keys_;
};

// MetalLB's key: the first 32 bytes of the secret's text followed by SHA-256 of the empty string.
[[nodiscard]] Key metallb_key(std::string_view secret);

enum class EncryptionVersion : std::uint8_t { Padded = 0, Plain = 1 };
inline constexpr std::size_t kSealOverhead = 29;  // of version Plain
// Where sealed bytes hold their nonce; empty when they are too few to be opened.
[[nodiscard]] std::span<const std::byte> nonce_of(std::span<const std::byte> sealed);

[[nodiscard]] std::size_t sealed_size(EncryptionVersion version, std::size_t plain);

[[nodiscard]] wire::Bytes seal(
    const Key& key,
    EncryptionVersion version,
    std::span<const std::byte> plain,
    std::span<const std::byte> associated,
    const RandomBytes& random
);
[[nodiscard]] Result<wire::Bytes> open(
    const KeyRing& ring, std::span<const std::byte> sealed, std::span<const std::byte> associated
);

}  // namespace steelyard::gossip_wire
