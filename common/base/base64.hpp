#pragma once

#include <optional>
#include <string>
#include <string_view>

// Base 64 (RFC 4648 section 4), as a kubeconfig and a Secret hold bytes.
namespace steelyard {

// Blanks and line ends are skipped; nullopt for anything else outside the alphabet.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);
// With padding, on one line.
[[nodiscard]] std::string encode_base64(std::string_view bytes);

}  // namespace steelyard
