#pragma once

#include "common/base/time.hpp"

#include <optional>
#include <string>
#include <string_view>

// The Retry-After header of HTTP (RFC 9110 10.2.3): seconds, or a date, which proxies send.
namespace steelyard::kube {

// The header in seconds, as it stands where it is not a date. A date is measured from the answer's
// own Date: the server's clock may be wrong, but both are read from it. "" without that.
[[nodiscard]] std::string retry_after_seconds(std::string_view retry_after, std::string_view date);

// IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT"; the two obsolete forms are not read.
[[nodiscard]] std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace steelyard::kube
