#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Reading objects that are kept as JSON, without exceptions: every accessor takes any value and
// says "absent" for whatever is missing or of another type.
namespace steelyard::apiserver {

using Json = nlohmann::json;

// Never throws; a discarded value (is_discarded()) on bad text.
[[nodiscard]] Json parse_json(std::string_view text);
// Never throws; bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string dump(const Json& value);

// Follows a dotted path through objects ("metadata.labels"); null when a step is missing.
[[nodiscard]] const Json* find(const Json& value, std::string_view path);
[[nodiscard]] Json* find(Json& value, std::string_view path);
// One member, whose name may contain dots.
[[nodiscard]] const Json* member(const Json& value, std::string_view name);

[[nodiscard]] std::string text_at(const Json& value, std::string_view path);
[[nodiscard]] std::optional<std::int64_t> integer_at(const Json& value, std::string_view path);
[[nodiscard]] bool true_at(const Json& value, std::string_view path);
// The elements of an array, or an empty one.
[[nodiscard]] const Json& array_at(const Json& value, std::string_view path);
// The object there, or an empty one.
[[nodiscard]] const Json& object_at(const Json& value, std::string_view path);

void erase_path(Json& value, std::string_view path);
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);

}  // namespace steelyard::apiserver
