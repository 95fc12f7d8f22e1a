#pragma once

#include <string>

// Throw-away certificates for TLS tests: a new certificate authority per call of make_authority(),
// EC P-256 keys, valid for an hour either way.
namespace steelyard::fakes {

struct PemPair {
    std::string certificate;
    std::string key;
};

[[nodiscard]] PemPair make_authority();
// `alternative_name` in OpenSSL's form: "DNS:api.test" or "IP:127.0.0.1".
[[nodiscard]] PemPair issue(const PemPair& authority, const std::string& alternative_name);

}  // namespace steelyard::fakes
