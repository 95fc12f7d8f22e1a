#include "speaker/app/proxy/other_modes.hpp"

namespace steelyard::speaker {

std::vector<std::string> advice_on(const dataplane::Leftovers& found, proxy::Mode now) {
    std::vector<std::string> advice;
    for (const auto& [mode, set] : found) {
        if (mode == now) {
            continue;
        }
        const bool full = mode == proxy::Mode::Full;
        const std::string flag = std::string("--proxy-mode=") + (full ? "full" : "load-balancer");
        advice.push_back(
            flag + " ran on this node and left its tables in the kernel (ipset " + set +
            " for one): " + (full ? "stop kube-proxy here, " : "") +
            "run \"steelyard-speaker --cleanup " + flag + "\", then start " +
            (full ? "it" : "this speaker") + " again"
        );
    }
    return advice;
}

awaitable<void> warn_of_other_modes(
    asio::any_io_executor executor, proxy::Mode now, const log::Logger& log
) {
    const auto found = co_await dataplane::find_leftovers(executor);
    if (!found) {
        co_return;
    }
    for (const std::string& line : advice_on(*found, now)) {
        log.warn("another mode's tables", {{"problem", line}});
    }
}

}  // namespace steelyard::speaker
