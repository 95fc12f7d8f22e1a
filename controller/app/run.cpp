#include "controller/app/run.hpp"

#include "common/daemon/web.hpp"
#include "common/kube/client/http_api.hpp"
#include "common/rt/task_group.hpp"
#include "controller/app/controller.hpp"
#include "controller/app/memberlist_secret.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <random>
#include <vector>

namespace steelyard::controller {
namespace {

using Servers = std::vector<std::unique_ptr<http_server::Server>>;

// Everything that lives as long as the process, in the order in which it depends on each other.
struct Process {
    Process(
        const asio::any_io_executor& with,
        const Options& given,
        const log::Logger& log,
        std::unique_ptr<kube::HttpKubeApi> client,
        const Settings& settings
    )
        : executor(with),
          options(given),
          logger(log),
          api(std::move(client)),
          controller(
              with, *api, log, registry, settings, [] { return std::chrono::system_clock::now(); }
          ),
          stop(with),
          tasks(with, [this](const std::string& name, const std::exception_ptr& error) {
              on_task_end(name, error);
          }) {}

    // A task that fails takes the process along: Kubernetes starts a fresh one.
    void on_task_end(const std::string& name, const std::exception_ptr& error) {
        if (error == nullptr) {
            return;
        }
        logger.error("task failed", {{"task", name}, {"error", rt::describe(error)}});
        exit_status = 1;
        stop.notify();
    }

    asio::any_io_executor executor;
    Options options;
    log::Logger logger;
    std::unique_ptr<kube::HttpKubeApi> api;
    metrics::Registry registry;
    Controller controller;
    Servers servers;
    rt::Signal stop;
    int exit_status = 0;
    rt::TaskGroup tasks;
};

daemon::Pages pages_of(Process& process) {
    daemon::Pages pages;
    pages.not_ready = [&process] {
        return process.controller.ready() ? "" : "the first lists are not complete";
    };
    pages.refresh_metrics = [&process]() -> awaitable<void> {
        process.controller.update_gauges();
        co_return;
    };
    return pages;
}

Result<> open_port(Process& process, const char* flag, std::uint16_t port) {
    if (port == 0) {
        return {};
    }
    const auto handler = daemon::web_handler(pages_of(process), process.registry);
    auto server = daemon::listen(process.executor, "", port, handler);
    if (!server) {
        return make_error(
            server.error().code, std::string(flag) + ": " + to_string(server.error())
        );
    }
    process.servers.push_back(*std::move(server));
    return {};
}

Result<> open_ports(Process& process) {
    const Options& options = process.options;
    auto opened = open_port(process, "--health-probe-port", options.health_port);
    if (opened && options.metrics_port != options.health_port) {
        opened = open_port(process, "--port", options.metrics_port);
    }
    return opened;
}

awaitable<void> wait_for_signal(Process& process) {
    asio::signal_set signals(process.executor, SIGTERM, SIGINT);
    const auto [error, number] = co_await signals.async_wait(kAwait);
    if (!error) {
        process.logger.info("stopping", {{"signal", std::to_string(number)}});
    }
    process.stop.notify();
}

awaitable<void> serve(Process& process) {
    process.tasks.spawn("signals", wait_for_signal(process));
    for (const auto& server : process.servers) {
        process.tasks.spawn("http", server->run());
    }
    process.controller.start(process.tasks);
    if (!process.options.memberlist_secret_name.empty()) {
        MemberlistSecret secret{
            process.options.ns,
            process.options.memberlist_secret_name,
            process.options.deployment,
        };
        process.tasks.spawn(
            "gossip secret",
            ensure_memberlist_secret(
                *process.api, process.logger.with_component("secret"), std::move(secret)
            )
        );
    }
    co_await process.stop.wait();
    process.tasks.cancel();
    co_await process.tasks.join();
}

}  // namespace

int run(const Options& options, const kube::ClientConfig& client, const log::Logger& logger) {
    asio::io_context ioc(1);
    auto api = kube::HttpKubeApi::make(client);
    if (!api) {
        logger.error("cannot use the API server", {{"error", to_string(api.error())}});
        return 2;
    }
    Settings settings;
    settings.ns = options.ns;
    settings.load_balancer_class = options.load_balancer_class;
    settings.seed = std::random_device()();
    Process process(ioc.get_executor(), options, logger, *std::move(api), settings);
    if (const auto opened = open_ports(process); !opened) {
        logger.error("cannot listen", {{"error", to_string(opened.error())}});
        return 2;
    }
    logger.info(
        "controller starts", {{"namespace", options.ns}, {"class", options.load_balancer_class}}
    );
    rt::TaskGroup main(
        ioc.get_executor(),
        [&](const std::string&, const std::exception_ptr& error) {
            if (error != nullptr) {
                logger.error("controller failed", {{"error", rt::describe(error)}});
                process.exit_status = 1;
            }
        }
    );
    main.spawn("serve", serve(process));
    ioc.run();
    return process.exit_status;
}

}  // namespace steelyard::controller
