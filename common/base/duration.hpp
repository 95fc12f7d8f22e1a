#pragma once

#include "common/base/time.hpp"

#include <optional>
#include <string_view>

namespace steelyard {

// A span of time as people write it on a command line and Kubernetes in its objects (a Go
// duration): "100ms", "2s", "1.5s", "1h", or several of them together ("1m30s"); "0" needs no unit.
// Units are ns, us, µs, ms, s, m and h. Nothing for anything else, signs included, or for more than
// 30 days.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

}  // namespace steelyard
