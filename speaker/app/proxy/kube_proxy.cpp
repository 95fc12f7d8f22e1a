#include "speaker/app/proxy/kube_proxy.hpp"

#include "common/http/client/client.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

namespace steelyard::speaker {

using namespace std::chrono_literals;

awaitable<std::optional<std::string>> running_kube_proxy(std::uint16_t metrics_port) {
    http_client::Server server;
    server.host = "127.0.0.1";
    server.port = metrics_port;
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

}  // namespace steelyard::speaker
