#pragma once

#include "common/base/rng.hpp"
#include "common/base/time.hpp"
#include "common/net/interface.hpp"
#include "common/rt/asio.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/bgp/discovery/discovery.hpp"
#include "speaker/io/bgp/router_socket.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

// Runs one bgp_discovery::Discovery per interface that has an unnumbered peer, on a raw socket of
// that interface. An interface that is down or gone has no neighbour.
namespace steelyard::io {

class Neighbours {
public:
    struct Handlers {
        // Found, another one, or lost with its interface.
        std::function<void(const std::string& interface)> on_change;
        std::function<void(const std::string&)> on_trouble;  // one line, once
    };

    // Its tasks run in `tasks`, whose owner calls close() and joins them before this dies.
    Neighbours(
        const asio::any_io_executor& executor, Rng& rng, rt::TaskGroup& tasks, Handlers handlers
    );

    void set(
        const std::set<std::string>& wanted,
        const std::vector<net::Interface>& interfaces,
        Instant now
    );
    void set_in_use(const std::string& interface, bool in_use);
    // It called before it was heard.
    void meet(const std::string& interface, const net::IpAddress& address);
    [[nodiscard]] std::optional<net::IpAddress> neighbour(const std::string& interface) const;
    void on_deadline(Instant now);
    [[nodiscard]] Instant next_deadline() const;
    void close();

private:
    struct Port {
        Port(RouterSocket opened, bgp_discovery::Discovery started, unsigned number)
            : socket(std::move(opened)), discovery(std::move(started)), index(number) {}
        RouterSocket socket;
        bgp_discovery::Discovery discovery;
        unsigned index;
        bool closed = false;
    };
    using PortPtr = std::shared_ptr<Port>;

    void open(const net::Interface& interface, Instant now);
    awaitable<void> read_loop(std::string interface, PortPtr port);

    asio::any_io_executor executor_;
    Rng& rng_;
    rt::TaskGroup& tasks_;
    Handlers handlers_;
    std::map<std::string, PortPtr> ports_;
    std::map<std::string, std::string> trouble_;  // what was said, by interface
    std::vector<net::Interface> unopened_;        // usable, but without a socket
    Instant retry_at_ = Instant::max();
};

}  // namespace steelyard::io
