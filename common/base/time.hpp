#pragma once

#include <chrono>

// The two kinds of time. Cores take an Instant as a parameter and never ask for one; only shells
// read a clock. WallTime is for what people and the Kubernetes API see (RFC 3339), never for
// timers.
namespace steelyard {

using Duration = std::chrono::steady_clock::duration;
using Instant = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

}  // namespace steelyard
