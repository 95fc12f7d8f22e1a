#include "speaker/app/proxy/kube_proxy.hpp"

#include "common/http/client/client.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

namespace steelyard::speaker {
namespace {

using namespace std::chrono_literals;

// The default of its metrics port is the loopback address of its bindAddress' family.
constexpr std::array kLoopbacks{"127.0.0.1", "::1"};

awaitable<std::optional<std::string>> mode_at(std::string host, std::uint16_t port) {
    http_client::Server server;
    server.host = std::move(host);
    server.port = port;
    http_client::Limits limits;
    limits.connect = 1s;
    limits.response = 1s;
    limits.body = 1024;
    http_client::Client client(server, limits);
    http_client::Request request;
    request.target = "/proxyMode";
    const auto answer = co_await client.send(std::move(request));
    constexpr std::array<std::string_view, 4> kModes{"iptables", "ipvs", "nftables", "userspace"};
    if (answer && answer->head.status == 200 && answer->head.header("Server") != kOurServerName &&
        std::find(kModes.begin(), kModes.end(), answer->body) != kModes.end()) {
        co_return answer->body;
    }
    co_return std::nullopt;
}

}  // namespace

awaitable<std::optional<std::string>> running_kube_proxy(std::uint16_t metrics_port) {
    for (const char* host : kLoopbacks) {
        auto mode = co_await mode_at(host, metrics_port);
        if (mode) {
            co_return mode;
        }
    }
    co_return std::nullopt;
}

}  // namespace steelyard::speaker
