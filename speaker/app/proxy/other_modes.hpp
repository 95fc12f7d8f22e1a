#pragma once

#include "common/log/log.hpp"
#include "common/rt/asio.hpp"
#include "speaker/io/dataplane/leftovers.hpp"

#include <string>
#include <vector>

// At the start in another mode than the last time: that one's tables would stay in force beside
// ours. Those of mode load-balancer are surely ours and go. Those of mode full have kube-proxy's
// names, and by now may be a kube-proxy's: people are told what was found and how to take it out.
namespace steelyard::speaker {

struct OtherModes {
    bool clean_load_balancer = false;
    std::vector<std::string> advice;  // a line each
};
[[nodiscard]] OtherModes judge(const dataplane::Leftovers& found, proxy::Mode now);

// A node that does not let us look is left as it is: where that matters the start says so.
awaitable<void> leave_other_modes(
    asio::any_io_executor executor, proxy::ProxyConfig config, const log::Logger& log
);

}  // namespace steelyard::speaker
