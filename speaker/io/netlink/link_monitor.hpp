#pragma once

#include "common/base/error.hpp"
#include "common/net/interface.hpp"
#include "common/rt/asio.hpp"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

// The node's interfaces and addresses, followed through rtnetlink notifications. Overflow of the
// event queue or an interrupted dump means reading everything again, never carrying on. Interfaces
// named in `ignored` (the proxy's dummy link, with its thousands of addresses) do not exist here.
namespace steelyard::netlink {

class EventSocket;
class LinkTable;

class LinkMonitor {
public:
    // Called with the new snapshot after something changed; bursts collapse into one call.
    using OnChange = std::function<void(const std::vector<net::Interface>&)>;

    LinkMonitor(
        const asio::any_io_executor& executor, std::set<std::string> ignored, OnChange on_change
    );
    LinkMonitor(const LinkMonitor&) = delete;
    LinkMonitor& operator=(const LinkMonitor&) = delete;
    ~LinkMonitor();

    // Subscribes and reads the first snapshot; snapshot() is valid afterwards.
    awaitable<Result<>> start();
    // Follows events until cancelled; to be spawned after start().
    awaitable<void> run();
    // Ordered by index, addresses ordered within.
    [[nodiscard]] const std::vector<net::Interface>& snapshot() const { return snapshot_; }

private:
    awaitable<Result<>> resync();
    void publish();

    asio::any_io_executor executor_;
    OnChange on_change_;
    std::unique_ptr<LinkTable> table_;
    std::unique_ptr<EventSocket> events_;
    std::vector<net::Interface> snapshot_;
};

}  // namespace steelyard::netlink
