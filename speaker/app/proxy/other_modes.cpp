#include "speaker/app/proxy/other_modes.hpp"

#include "speaker/io/dataplane/dataplane.hpp"

#include <utility>

namespace steelyard::speaker {
namespace {

constexpr const char* kCleanLoadBalancer = "steelyard-speaker --cleanup --proxy-mode=load-balancer";

awaitable<void> clean_load_balancer(
    asio::any_io_executor executor, proxy::ProxyConfig config, const log::Logger& log
) {
    config.mode = proxy::Mode::LoadBalancer;
    const auto former = dataplane::make_ipvs_dataplane(executor, config);
    const auto removed = co_await former->cleanup();
    if (!removed) {
        log.warn(
            "tables of --proxy-mode=load-balancer are left in the kernel",
            {{"error", to_string(removed.error())}, {"remove", kCleanLoadBalancer}}
        );
        co_return;
    }
    for (const std::string& what : *removed) {
        log.info("removed what --proxy-mode=load-balancer had left", {{"what", what}});
    }
}

}  // namespace

OtherModes judge(const dataplane::Leftovers& found, proxy::Mode now) {
    OtherModes others;
    for (const auto& [mode, set] : found) {
        if (mode == now) {
            continue;
        }
        if (mode == proxy::Mode::LoadBalancer) {
            others.clean_load_balancer = true;
        } else {
            others.advice.push_back(
                "--proxy-mode=full ran on this node and left its tables in the kernel (ipset " +
                set +
                " for one): stop kube-proxy here, run \"steelyard-speaker --cleanup "
                "--proxy-mode=full\", and start it again"
            );
        }
    }
    return others;
}

awaitable<void> leave_other_modes(
    asio::any_io_executor executor, proxy::ProxyConfig config, const log::Logger& log
) {
    const auto found = co_await dataplane::find_leftovers(executor);
    if (!found) {
        co_return;
    }
    const OtherModes others = judge(*found, config.mode);
    for (const std::string& line : others.advice) {
        log.warn("another mode's tables", {{"problem", line}});
    }
    if (others.clean_load_balancer) {
        co_await clean_load_balancer(executor, std::move(config), log);
    }
}

}  // namespace steelyard::speaker
