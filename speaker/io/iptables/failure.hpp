#pragma once

#include <string>
#include <string_view>

namespace steelyard::iptables {

// What iptables-restore printed when it refused `input`, in one line: the complaint, the rule it
// complains about, and the modules that rule needs, since a missing one is told as "line 7 failed"
// only. Pure.
[[nodiscard]] std::string explain_failure(std::string_view printed, std::string_view input);

}  // namespace steelyard::iptables
