#pragma once

#include "common/log/log.hpp"
#include "common/rt/asio.hpp"
#include "speaker/io/dataplane/leftovers.hpp"

#include <string>
#include <vector>

// At the start in another mode than the last time: that one's tables stay in force beside ours, so
// people are told what was found and how to take it out. Taking it out by ourselves could take too
// much: sets of mode full have kube-proxy's names and may be a kube-proxy's by now, and marks,
// routes and virtual servers do not tell which of our modes wrote them.
namespace steelyard::speaker {

// A line for each mode but this one that left something.
[[nodiscard]] std::vector<std::string> advice_on(
    const dataplane::Leftovers& found, proxy::Mode now
);

// Logs that advice. A node that does not let us look is left as it is: where that matters the start
// says so.
awaitable<void> warn_of_other_modes(
    asio::any_io_executor executor, proxy::Mode now, const log::Logger& log
);

}  // namespace steelyard::speaker
