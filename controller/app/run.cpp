#include "controller/app/run.hpp"

#include "common/daemon/web.hpp"
#include "common/kube/client/http_api.hpp"
#include "common/rt/task_group.hpp"
#include "controller/app/replica.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <random>
#include <vector>

namespace steelyard::controller {
namespace {

using Servers = std::vector<std::unique_ptr<http_server::Server>>;

struct Clients {
    std::unique_ptr<kube::HttpKubeApi> objects;
    std::unique_ptr<kube::HttpKubeApi> lease;
};

// Everything that lives as long as the process, in the order in which it depends on each other.
struct Process {
    Process(
        const asio::any_io_executor& with, const Options& given, const log::Logger& log, Clients api
    )
        : executor(with),
          options(given),
          logger(log),
          clients(std::move(api)),
          replica(
              with,
              {*clients.objects, *clients.lease},
              log,
              registry,
              given,
              random_seed(),
              [] { return std::chrono::system_clock::now(); },
              [this](const std::string& name, const std::exception_ptr& error) {
                  on_task_end(name, error);
              }
          ),
          stop(with),
          tasks(with, [this](const std::string& name, const std::exception_ptr& error) {
              on_task_end(name, error);
          }) {}

    static std::uint64_t random_seed() {
        std::random_device device;
        return (static_cast<std::uint64_t>(device()) << 32U) | device();
    }

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
    Clients clients;
    metrics::Registry registry;
    Replica replica;
    Servers servers;
    rt::Signal stop;
    int exit_status = 0;
    rt::TaskGroup tasks;
};

daemon::Pages pages_of(Process& process) {
    daemon::Pages pages;
    pages.not_ready = [&process] {
        return process.replica.not_ready();
    };
    pages.refresh_metrics = [&process]() -> awaitable<void> {
        process.replica.update_gauges();
        co_return;
    };
    return pages;
}

Result<> open_port(
    Process& process, const char* flag, std::uint16_t port, const daemon::Pages& pages
) {
    if (port == 0) {
        return {};
    }
    const auto handler = daemon::web_handler(pages, process.registry);
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
    daemon::Pages pages = pages_of(process);
    daemon::Pages with_explanations = pages;
    with_explanations.more["/explain"] = [&process](const http_server::Request& request) {
        return process.replica.explain(request);
    };
    if (options.metrics_port == options.health_port) {
        return open_port(process, "--port", options.metrics_port, with_explanations);
    }
    auto opened = open_port(process, "--health-probe-port", options.health_port, pages);
    if (opened) {
        opened = open_port(process, "--port", options.metrics_port, with_explanations);
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
    process.replica.start(process.tasks);
    co_await process.stop.wait();
    co_await process.replica.hand_over();
    process.tasks.cancel();
    co_await process.tasks.join();
}

Result<Clients> connect(const kube::ClientConfig& client) {
    auto objects = kube::HttpKubeApi::make(client);
    if (!objects) {
        return objects.error();
    }
    auto lease = kube::HttpKubeApi::make(client);
    if (!lease) {
        return lease.error();
    }
    return Clients{*std::move(objects), *std::move(lease)};
}

}  // namespace

int run(const Options& options, const kube::ClientConfig& client, const log::Logger& logger) {
    asio::io_context ioc(1);
    auto clients = connect(client);
    if (!clients) {
        logger.error("cannot use the API server", {{"error", to_string(clients.error())}});
        return 2;
    }
    Process process(ioc.get_executor(), options, logger, *std::move(clients));
    if (const auto opened = open_ports(process); !opened) {
        logger.error("cannot listen", {{"error", to_string(opened.error())}});
        return 2;
    }
    for (const std::string& flag : options.ignored) {
        logger.info("a flag that has no effect here", {{"flag", flag}});
    }
    logger.info(
        "controller starts",
        {{"version", SY_VERSION}, {"namespace", options.ns}, {"class", options.load_balancer_class}}
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
