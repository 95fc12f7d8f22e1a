#include "speaker/app/run.hpp"

#include "common/daemon/web.hpp"
#include "common/kube/client/http_api.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/app/speaker.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <fstream>
#include <memory>
#include <random>
#include <vector>

namespace steelyard::speaker {
namespace {

using Servers = std::vector<std::unique_ptr<http_server::Server>>;

awaitable<void> wait_for_signal(
    asio::any_io_executor executor, const log::Logger& logger, rt::Signal& stop
) {
    asio::signal_set signals(executor, SIGTERM, SIGINT);
    const auto [error, number] = co_await signals.async_wait(kAwait);
    if (!error) {
        logger.info("handing over", {{"signal", std::to_string(number)}});
    }
    stop.notify();
}

Result<Servers> open_ports(
    const asio::any_io_executor& executor,
    const Options& options,
    const http_server::Handler& handler
) {
    Servers servers;
    struct Port {
        const char* flag;
        const char* address;
        std::uint16_t number;
    };
    for (const Port& port : {
             Port{"--health-probe-port", "127.0.0.1", options.health_port},
             Port{"--port", "", options.metrics_port},
         }) {
        if (port.number == 0) {
            continue;
        }
        auto server = daemon::listen(executor, port.address, port.number, handler);
        if (!server) {
            return make_error(
                server.error().code, std::string(port.flag) + ": " + to_string(server.error())
            );
        }
        servers.push_back(std::move(*server));
    }
    return servers;
}

// The speaker beside the tasks that serve it; they end when it does.
awaitable<void> serve(
    Speaker& speaker, rt::TaskGroup& helpers, rt::Signal& stop, Result<>& outcome
) {
    outcome = co_await speaker.run(stop);
    helpers.cancel();
    co_await helpers.join();
}

std::uint64_t random_seed() {
    std::random_device device;
    return (std::uint64_t{device()} << 32U) | device();
}

void set_oom_score(int score, const log::Logger& logger) {
    std::ofstream file("/proc/self/oom_score_adj");
    file << score << std::flush;
    if (!file) {
        logger.warn("oomScoreAdj not set (needs SYS_RESOURCE)", {{"score", std::to_string(score)}});
    }
}

}  // namespace

int run(const Options& options, const kube::ClientConfig& client, const log::Logger& logger) {
    asio::io_context ioc(1);
    auto api = kube::HttpKubeApi::make(client);
    if (!api) {
        logger.error("cannot use the API server", {{"error", to_string(api.error())}});
        return 2;
    }
    metrics::Registry registry;
    Speaker speaker(ioc.get_executor(), options, **api, logger, registry, random_seed());
    daemon::Pages pages;
    pages.not_ready = [&speaker] {
        return speaker.not_ready();
    };
    pages.remark = [&speaker] {
        return speaker.remark();
    };
    pages.refresh_metrics = [&speaker] {
        return speaker.refresh_metrics();
    };
    auto servers =
        open_ports(ioc.get_executor(), options, daemon::web_handler(std::move(pages), registry));
    if (!servers) {
        logger.error("cannot listen", {{"error", to_string(servers.error())}});
        return 2;
    }
    if (options.oom_score_adj) {
        set_oom_score(*options.oom_score_adj, logger);
    }
    rt::Signal stop(ioc.get_executor());
    Result<> outcome;
    const auto on_exit = [&](const std::string& name, const std::exception_ptr& error) {
        if (error) {
            outcome = make_error(Errc::Internal, name + ": " + rt::describe(error));
            stop.notify();
        }
    };
    rt::TaskGroup helpers(ioc.get_executor(), on_exit);
    rt::TaskGroup main(ioc.get_executor(), on_exit);
    helpers.spawn("signals", wait_for_signal(ioc.get_executor(), logger, stop));
    for (const auto& server : *servers) {
        helpers.spawn("http", server->run());
    }
    for (const std::string& note : options.notes) {
        logger.warn("configuration", {{"ignored", note}});
    }
    logger.info("speaker starts", {{"node", options.node_name}, {"namespace", options.ns}});
    main.spawn("speaker", serve(speaker, helpers, stop, outcome));
    ioc.run();
    if (!outcome) {
        logger.error("speaker stops", {{"error", to_string(outcome.error())}});
        return 1;
    }
    return 0;
}

}  // namespace steelyard::speaker
