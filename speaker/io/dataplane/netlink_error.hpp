#pragma once

#include "common/base/error.hpp"

#include <string>
#include <string_view>

// What the kernel's refusals mean, in code and in words.
namespace steelyard::dataplane {

[[nodiscard]] bool is_errno(const Error& error, int number);
// errno, an ipset error from 4096 up, or netlink::kAnswerLost, in words.
[[nodiscard]] std::string describe(int error);
// The same of what a request ended in; an error that is no number of the kernel's speaks for
// itself.
[[nodiscard]] std::string describe(const Error& error);
[[nodiscard]] Error refusal(int error, std::string_view what);

}  // namespace steelyard::dataplane
