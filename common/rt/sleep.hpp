#pragma once

#include "common/base/time.hpp"
#include "common/rt/asio.hpp"

namespace steelyard::rt {

// Waits for a span or until an instant; throws system_error(operation_aborted) when the task is
// cancelled, so that a cancelled task unwinds instead of running its next step.
awaitable<void> sleep_for(Duration duration);
awaitable<void> sleep_until(Instant instant);

}  // namespace steelyard::rt
