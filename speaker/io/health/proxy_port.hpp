#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/http/server/server.hpp"
#include "common/net/ip.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

// One of the two ports kube-proxy has and Steelyard serves in its place: healthzBindAddress
// (0.0.0.0:10256) and metricsBindAddress (127.0.0.1:10249). A port somebody has, most likely a
// kube-proxy that still runs or that was started again, is tried again every 5 s, or is fatal
// under bindAddressHardFail: then the owner calls open() first. The owner spawns run() in its
// TaskGroup and joins it before this dies.
namespace steelyard::io_health {

class ProxyPort {
public:
    struct Callbacks {
        // One line that names the setting, the address and what to do; told when it is new.
        std::function<void(const std::string& reason)> on_trouble;
        std::function<void()> on_open;
    };

    // `setting` is what the address is called for people: "healthzBindAddress". 0.0.0.0 and [::]
    // are every address of their family, [::] of IPv4 too.
    ProxyPort(
        const asio::any_io_executor& executor,
        std::string setting,
        const net::Endpoint& endpoint,
        http_server::Handler handler,
        Callbacks callbacks,
        Duration retry_interval = std::chrono::seconds(5)
    );
    ProxyPort(const ProxyPort&) = delete;
    ProxyPort& operator=(const ProxyPort&) = delete;

    // Takes the port now; the error is the line that on_trouble would be told. No effect when open.
    Result<> open();
    // Serves, and tries to open while that fails, until cancelled.
    awaitable<void> run();
    [[nodiscard]] bool is_open() const { return server_ != nullptr; }
    [[nodiscard]] std::uint16_t port() const { return server_ ? server_->port() : 0; }

private:
    asio::any_io_executor executor_;
    std::string setting_;
    net::Endpoint endpoint_;
    http_server::Handler handler_;
    Callbacks callbacks_;
    Duration retry_interval_;
    std::unique_ptr<http_server::Server> server_;
    std::string trouble_;  // as told
};

}  // namespace steelyard::io_health
