#pragma once

#include "common/base/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <string_view>

// The body of a webhook call as JSON. Anybody who reaches the port may send one, so nesting is
// bounded before anything recurses over it.
namespace steelyard::admission {

inline constexpr std::size_t kMaxDepth = 200;

// Invalid, in one line, when it is no JSON object or nested deeper than kMaxDepth.
[[nodiscard]] Result<nlohmann::json> read_body(std::string_view text);

}  // namespace steelyard::admission
