#pragma once

#include "common/kube/client/config.hpp"
#include "common/log/log.hpp"
#include "speaker/options/options.hpp"

namespace steelyard::speaker {

// Runs the speaker until SIGTERM or SIGINT; returns the process's exit status.
[[nodiscard]] int run(
    const Options& options, const kube::ClientConfig& client, const log::Logger& logger
);

}  // namespace steelyard::speaker
