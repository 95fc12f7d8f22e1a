#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"

#include <chrono>
#include <string>
#include <vector>

// Certificates as PEM text: making them (ECDSA P-256) and reading what others made, of any kind
// OpenSSL knows. The time is a parameter. Only serial numbers and keys are random, by OpenSSL.
namespace steelyard::certs {

struct KeyPair {
    std::string certificate;
    std::string key;
    friend bool operator==(const KeyPair&, const KeyPair&) = default;
};

struct Validity {
    WallTime from{};
    WallTime to{};

    [[nodiscard]] bool holds(WallTime now) const { return from <= now && now < to; }
    [[nodiscard]] std::chrono::seconds length() const {
        return std::chrono::duration_cast<std::chrono::seconds>(to - from);
    }
    friend bool operator==(const Validity&, const Validity&) = default;
};

// A certificate authority with a key of its own.
[[nodiscard]] Result<KeyPair> make_authority(const Validity& validity);
// A serving certificate for those DNS names, cut to the authority's own validity.
[[nodiscard]] Result<KeyPair> issue(
    const KeyPair& authority, const std::vector<std::string>& names, Validity validity
);

// Of the first certificate in the text.
[[nodiscard]] Result<Validity> validity_of(const std::string& certificate);
// Whether the key belongs to the first certificate of the pair, and is one we can use.
[[nodiscard]] Result<> check_key(const KeyPair& pair);
// Whether a client that trusts `authorities` (any number, one after the other) and wants to speak
// to `name` would accept the certificate then.
[[nodiscard]] Result<> verify(
    const std::string& certificate,
    const std::string& authorities,
    const std::string& name,
    WallTime now
);
// The certificates of the text one by one, each as PEM of its own.
[[nodiscard]] Result<std::vector<std::string>> split(const std::string& certificates);

}  // namespace steelyard::certs
