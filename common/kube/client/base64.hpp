#pragma once

#include <optional>
#include <string>
#include <string_view>

// Base 64 (RFC 4648 section 4), as the *-data fields of a kubeconfig hold it.
namespace steelyard::kube {

// Blanks and line ends are skipped; nullopt for anything else outside the alphabet.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace steelyard::kube
