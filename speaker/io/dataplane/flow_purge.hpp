#pragma once

#include "common/base/error.hpp"
#include "common/rt/asio.hpp"
#include "speaker/io/netlink/socket.hpp"
#include "speaker/proxy/conntrack/stale.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace steelyard::dataplane {

// Deletes stale UDP flows from the kernel's connection tracking: one dump a family, filtered by the
// kernel where it can, then the deletions in batches. Tables of a million entries are read in turns
// and never held.
class FlowPurge {
public:
    static Result<std::unique_ptr<FlowPurge>> open(const asio::any_io_executor& executor);

    // Whether the kernel lists flows at all (nf_conntrack_netlink).
    awaitable<bool> probe();
    // How many were deleted.
    awaitable<Result<std::size_t>> purge(const conntrack::Frontends& frontends);

private:
    explicit FlowPurge(std::unique_ptr<netlink::RequestSocket> socket);

    awaitable<Result<std::size_t>> purge(const conntrack::Frontends& frontends, net::Family family);

    std::unique_ptr<netlink::RequestSocket> socket_;
    bool works_ = true;
};

}  // namespace steelyard::dataplane
