#pragma once

#include "common/kube/client/config.hpp"
#include "common/log/log.hpp"
#include "controller/app/options.hpp"

namespace steelyard::controller {

// The whole process on the calling thread: connects, runs until SIGTERM or SIGINT, joins every
// task. Returns the exit status: 0 after a signal, 1 when a task failed, 2 when it could not start.
[[nodiscard]] int run(
    const Options& options, const kube::ClientConfig& client, const log::Logger& logger
);

}  // namespace steelyard::controller
