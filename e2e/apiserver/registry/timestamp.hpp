#pragma once

#include "common/base/time.hpp"

#include <optional>
#include <string>
#include <string_view>

// RFC 3339 times as the API writes them, always UTC: whole seconds for metadata, microseconds for
// Leases and Events.
namespace steelyard::apiserver {

[[nodiscard]] std::string format_time(WallTime time);
[[nodiscard]] std::optional<WallTime> parse_time(std::string_view text);
// "2006-01-02T15:04:05.000000Z": MicroTime, which has exactly six digits and any zone.
[[nodiscard]] std::string format_micro_time(WallTime time);
[[nodiscard]] std::optional<WallTime> parse_micro_time(std::string_view text);

}  // namespace steelyard::apiserver
