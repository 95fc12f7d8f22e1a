#pragma once

#include "common/base/error.hpp"
#include "common/rt/asio.hpp"
#include "speaker/io/dataplane/observer.hpp"
#include "speaker/io/netlink/socket.hpp"
#include "speaker/netlink/ipvs.hpp"
#include "speaker/proxy/config.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace steelyard::dataplane {

// The kernel's virtual and real servers. IPVS has no dump of all real servers: each virtual
// server's list is asked for on its own. Where find() found no IPVS, there are none.
class IpvsTables {
public:
    static Result<std::unique_ptr<IpvsTables>> open(const asio::any_io_executor& executor);

    // Finds the netlink family; Unsupported when the kernel has no IPVS.
    awaitable<Result<>> find();
    // Tries the scheduler and writes timeouts where they differ.
    awaitable<Result<>> prepare(const proxy::ProxyConfig& config);

    using Owns = std::function<bool(const proxy::VirtualServerKey&)>;
    awaitable<Result<>> read(const Owns& owns, Observer& observer);
    awaitable<Result<std::optional<proxy::VirtualServer>>> read_server(
        const proxy::VirtualServerKey& key
    );
    awaitable<Result<bool>> has(const proxy::VirtualServerKey& key);

    [[nodiscard]] std::uint16_t family() const { return family_; }
    [[nodiscard]] netlink::RequestSocket& socket() { return *socket_; }

private:
    IpvsTables(
        const asio::any_io_executor& executor, std::unique_ptr<netlink::RequestSocket> socket
    );
    awaitable<Result<>> probe_scheduler(const std::string& scheduler);
    awaitable<Result<>> write_timeouts(const proxy::ProxyConfig& config);
    // Lists real servers; a virtual server that vanished has none.
    awaitable<Result<>> read_dests(
        const proxy::VirtualServerKey& key, proxy::RealServers& real_servers
    );
    Result<bool> read_dests_at_once(
        const proxy::VirtualServerKey& key, proxy::RealServers& real_servers
    );

    asio::any_io_executor executor_;
    std::unique_ptr<netlink::RequestSocket> socket_;
    std::uint16_t family_ = 0;
};

}  // namespace steelyard::dataplane
