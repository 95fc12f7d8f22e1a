#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"

#include <chrono>

// The three times of a leader election, client-go's names and defaults. A leader stops leading when
// it could not renew for renew_deadline; another may take the Lease when it did not change for
// lease_duration. The clocks of two processes may therefore run at rates that differ by
// lease_duration / renew_deadline (1.5) before two could lead at once.
namespace steelyard::kube {

struct ElectionTimings {
    Duration lease_duration = std::chrono::seconds(15);  // whole seconds: the Lease says it so
    Duration renew_deadline = std::chrono::seconds(10);
    Duration retry_period = std::chrono::seconds(2);
    friend bool operator==(const ElectionTimings&, const ElectionTimings&) = default;
};

// The waits between looks are stretched at random by up to this, so that candidates spread.
inline constexpr double kRetryJitter = 1.2;

// client-go's rules: lease_duration > renew_deadline > kRetryJitter * retry_period > 0.
[[nodiscard]] Result<> check(const ElectionTimings& timings);

}  // namespace steelyard::kube
