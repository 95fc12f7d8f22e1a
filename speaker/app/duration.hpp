#pragma once

#include "common/base/time.hpp"

#include <optional>
#include <string_view>

namespace steelyard::speaker {

// A span of time as people write it on a command line: "100ms", "2s", "5m", "1h", or several of
// them together ("1m30s"); "0" needs no unit. Nothing for anything else, or for more than 30 days.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

}  // namespace steelyard::speaker
