#include "speaker/io/dataplane/kernel_bound.hpp"

#include "speaker/io/dataplane/netlink_error.hpp"
#include "speaker/netlink/link_table.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <utility>

namespace steelyard::dataplane {
namespace {

using net::Family;
using net::IpAddress;
using netlink::Bytes;
using netlink::LocalRoute;
using netlink::Message;
using netlink::Reply;
using netlink::RequestSocket;

}  // namespace

BoundAddresses::BoundAddresses(std::unique_ptr<RequestSocket> socket, std::string link)
    : socket_(std::move(socket)), link_(std::move(link)) {}

Result<std::unique_ptr<BoundAddresses>> BoundAddresses::open(
    const asio::any_io_executor& executor, std::string link
) {
    auto socket = RequestSocket::open(executor, NETLINK_ROUTE);
    if (!socket) {
        return socket.error();
    }
    return std::unique_ptr<BoundAddresses>(new BoundAddresses(std::move(*socket), std::move(link)));
}

awaitable<Result<>> BoundAddresses::ensure() {
    std::vector<Bytes> messages;
    messages.push_back(netlink::new_dummy_link(link_));
    const auto created = co_await socket_->batch(std::move(messages));
    const int error = created.errors.front();
    if (error == EOPNOTSUPP) {
        co_return make_error(
            Errc::Unsupported, "the kernel has no dummy links: load the module dummy"
        );
    }
    if (error != 0 && error != EEXIST) {
        co_return refusal(error, "dummy link " + link_);
    }
    if (auto found = co_await find_link(); !found) {
        co_return found;
    }
    if (link_index_ == 0) {
        co_return make_error(Errc::Internal, "dummy link " + link_ + " vanished");
    }
    co_return Result<>();
}

awaitable<Result<>> BoundAddresses::find_link() {
    link_index_ = 0;
    const auto replies = co_await socket_->exchange(netlink::get_link(link_));
    if (!replies && is_errno(replies.error(), ENODEV)) {
        co_return Result<>();
    }
    if (!replies) {
        co_return replies.error();
    }
    for (const Reply& reply : *replies) {
        const auto link = netlink::decode_link(reply.payload);
        if (link && link->name == link_) {
            link_index_ = link->index;
        }
    }
    co_return Result<>();
}

awaitable<Result<std::vector<IpAddress>>> BoundAddresses::addresses() {
    std::vector<IpAddress> addresses;
    if (auto found = co_await find_link(); !found) {
        co_return found.error();
    }
    if (link_index_ == 0) {
        co_return addresses;
    }
    const RequestSocket::OnMessage collect = [&](const Message& message) {
        const auto found = netlink::decode_address(message.payload);
        if (message.type == RTM_NEWADDR && found && found->index == link_index_ &&
            (found->address.ip.is_v4() || !found->address.ip.is_link_local())) {
            addresses.push_back(found->address.ip);
        }
    };
    const RequestSocket::OnRestart forget = [&addresses] {
        addresses.clear();
    };
    auto done = co_await socket_->dump(netlink::dump_addresses(link_index_), collect, forget);
    if (!done && !is_errno(done.error(), ENODEV)) {  // deleted meanwhile
        co_return done.error();
    }
    co_return addresses;
}

awaitable<Result<std::vector<LocalRoute>>> BoundAddresses::routes() {
    std::vector<LocalRoute> routes;
    for (const Family family : {Family::V4, Family::V6}) {
        const std::size_t before = routes.size();
        const RequestSocket::OnMessage collect = [&](const Message& message) {
            const auto route = netlink::decode_local_route(message.payload);
            // A kernel without IPv6 answers with the routes of IPv4.
            if (message.type == RTM_NEWROUTE && route && route->address.family() == family) {
                routes.push_back(*route);
            }
        };
        const RequestSocket::OnRestart forget = [&routes, before] {
            routes.resize(before);
        };
        const auto done =
            co_await socket_->dump(netlink::dump_local_routes(family), collect, forget);
        // ENOENT: the table is empty to the point of not existing.
        if (!done && !is_errno(done.error(), ENOENT) && !is_errno(done.error(), EOPNOTSUPP)) {
            co_return done.error();
        }
    }
    co_return routes;
}

awaitable<Result<std::set<IpAddress>>> BoundAddresses::read(Observer& observer) {
    std::set<IpAddress> bound;
    const auto on_link = co_await addresses();
    if (!on_link) {
        co_return on_link.error();
    }
    for (const IpAddress& address : *on_link) {
        observer.address(address);
        bound.insert(address);
    }
    const auto routed = co_await routes();
    if (!routed) {
        co_return routed.error();
    }
    for (const LocalRoute& route : *routed) {
        observer.route(route.address, route.source);
        bound.insert(route.address);
    }
    co_return bound;
}

awaitable<Result<std::vector<std::string>>> BoundAddresses::remove() {
    std::vector<std::string> removed;
    const auto routed = co_await routes();
    if (!routed) {
        co_return routed.error();
    }
    const RequestSocket::Encode encode = [&](std::size_t index) {
        return netlink::del_local_route((*routed)[index].address);
    };
    const auto deleted = co_await socket_->batch(routed->size(), encode);
    for (const int error : deleted.errors) {
        if (error != 0 && error != ESRCH) {
            co_return refusal(error, "local routes");
        }
    }
    if (!routed->empty()) {
        removed.push_back(std::to_string(routed->size()) + " local routes");
    }
    if (auto found = co_await find_link(); !found) {
        co_return found.error();
    }
    if (link_index_ != 0) {
        std::vector<Bytes> messages;
        messages.push_back(netlink::del_link(link_index_));
        const auto result = co_await socket_->batch(std::move(messages));
        if (result.errors.front() != 0) {
            co_return refusal(result.errors.front(), "dummy link " + link_);
        }
        link_index_ = 0;
        removed.push_back("link " + link_);
    }
    co_return removed;
}

}  // namespace steelyard::dataplane
