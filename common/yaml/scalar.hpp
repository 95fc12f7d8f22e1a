#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>

// What an unquoted YAML word means, by the rules of the library kubectl uses (YAML 1.1 with its
// numbers and its many words for true, without its times and numbers to the base 60).
namespace steelyard::yaml {

// `tag` as yaml-cpp tells it: "?" for a plain word, "!" for a quoted one, or a tag of the text.
// nullopt for a tag a manifest has no use for.
[[nodiscard]] std::optional<nlohmann::json> resolve_scalar(
    const std::string& tag, const std::string& text
);

}  // namespace steelyard::yaml
