#pragma once

#include "common/base/error.hpp"
#include "common/rt/asio.hpp"
#include "speaker/io/dataplane/observer.hpp"
#include "speaker/io/netlink/socket.hpp"
#include "speaker/netlink/route.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace steelyard::dataplane {

// The virtual addresses the node takes for its own: on the dummy link, which stays down, or as
// local routes.
class BoundAddresses {
public:
    static Result<std::unique_ptr<BoundAddresses>> open(
        const asio::any_io_executor& executor, std::string link
    );

    // Creates the link if it is missing.
    awaitable<Result<>> ensure();
    // Shows addresses, then routes; returns both together.
    awaitable<Result<std::set<net::IpAddress>>> read(Observer& observer);
    // Removes link and routes; a line for each kind that existed.
    awaitable<Result<std::vector<std::string>>> remove();

    // 0 before the link is known.
    [[nodiscard]] unsigned link_index() const { return link_index_; }
    [[nodiscard]] netlink::RequestSocket& socket() { return *socket_; }

private:
    BoundAddresses(std::unique_ptr<netlink::RequestSocket> socket, std::string link);

    awaitable<Result<>> find_link();
    awaitable<Result<std::vector<net::IpAddress>>> addresses();
    awaitable<Result<std::vector<netlink::LocalRoute>>> routes();

    std::unique_ptr<netlink::RequestSocket> socket_;
    std::string link_;
    unsigned link_index_ = 0;
};

}  // namespace steelyard::dataplane
