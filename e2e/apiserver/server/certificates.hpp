#pragma once

#include "common/base/error.hpp"

#include <string>
#include <vector>

// A certificate authority of one's own and a serving certificate from it, as PEM: what the lab's
// API server needs to speak TLS. ECDSA P-256, valid ten years.
namespace steelyard::apiserver {

struct KeyPair {
    std::string certificate;
    std::string private_key;
};

[[nodiscard]] Result<KeyPair> make_authority(const std::string& common_name);
// names: DNS names and IP addresses for subjectAltName.
[[nodiscard]] Result<KeyPair> issue_serving_certificate(
    const KeyPair& authority, const std::vector<std::string>& names
);
// Base64 without line breaks, as a kubeconfig embeds certificates.
[[nodiscard]] std::string base64_line(const std::string& bytes);

}  // namespace steelyard::apiserver
