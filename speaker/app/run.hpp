#pragma once

#include "common/base/error.hpp"
#include "common/kube/client/config.hpp"
#include "common/log/log.hpp"
#include "speaker/options/options.hpp"

#include <string>
#include <vector>

namespace steelyard::speaker {

// Runs the speaker until SIGTERM or SIGINT; returns the process's exit status.
[[nodiscard]] int run(
    const Options& options, const kube::ClientConfig& client, const log::Logger& logger
);

// `--cleanup`: takes everything of ours out of this node's kernel and says what that was, a line
// each; asks no API server. Traffic to Services stops until somebody programs them again.
[[nodiscard]] Result<std::vector<std::string>> cleanup(const Options& options);

}  // namespace steelyard::speaker
