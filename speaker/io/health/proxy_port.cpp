#include "speaker/io/health/proxy_port.hpp"

#include "common/rt/sleep.hpp"
#include "speaker/io/health/limits.hpp"

#include <boost/asio/error.hpp>

#include <utility>

namespace steelyard::io_health {

ProxyPort::ProxyPort(
    const asio::any_io_executor& executor,
    std::string setting,
    const net::Endpoint& endpoint,
    http_server::Handler handler,
    Callbacks callbacks,
    Duration retry_interval
)
    : executor_(executor),
      setting_(std::move(setting)),
      endpoint_(endpoint),
      handler_(std::move(handler)),
      callbacks_(std::move(callbacks)),
      retry_interval_(retry_interval) {}

Result<> ProxyPort::open() {
    if (server_) {
        return {};
    }
    auto server = http_server::Server::listen(executor_, limited(endpoint_), handler_);
    if (server) {
        server_ = std::move(*server);
        trouble_.clear();
        if (callbacks_.on_open) {
            callbacks_.on_open();
        }
        return {};
    }
    const std::string where = setting_ + " " + to_string(endpoint_) + ": ";
    const Error& error = server.error();
    if (error.code == asio::error::address_in_use) {
        return make_error(
            error.code,
            where +
                "the port is taken, most likely by a kube-proxy that runs on this node; "
                "only one of the two may run: stop kube-proxy, or choose another address"
        );
    }
    return make_error(error.code, where + error.context);
}

awaitable<void> ProxyPort::run() {
    while (true) {
        const Result<> opened = open();
        if (opened) {
            co_await server_->run();
            co_return;
        }
        if (trouble_ != opened.error().context) {
            trouble_ = opened.error().context;
            if (callbacks_.on_trouble) {
                callbacks_.on_trouble(trouble_);
            }
        }
        co_await rt::sleep_for(retry_interval_);
    }
}

}  // namespace steelyard::io_health
