#include "speaker/io/dataplane/flow_purge.hpp"

#include "speaker/io/dataplane/netlink_error.hpp"
#include "speaker/netlink/conntrack.hpp"

#include <linux/netlink.h>

#include <algorithm>
#include <utility>

namespace steelyard::dataplane {
namespace {

using conntrack::Flow;
using conntrack::Frontends;
using net::Family;
using netlink::Message;
using netlink::RequestSocket;

// Deleted before the rest is looked at: bounds memory at a few MB.
constexpr std::size_t kMostAtOnce = 50'000;
constexpr int kMostRounds = 40;  // two million stale flows

}  // namespace

FlowPurge::FlowPurge(std::unique_ptr<RequestSocket> socket) : socket_(std::move(socket)) {}

Result<std::unique_ptr<FlowPurge>> FlowPurge::open(const asio::any_io_executor& executor) {
    auto socket = RequestSocket::open(executor, NETLINK_NETFILTER);
    if (!socket) {
        return socket.error();
    }
    return std::unique_ptr<FlowPurge>(new FlowPurge(std::move(*socket)));
}

awaitable<bool> FlowPurge::probe() {
    const auto replies = co_await socket_->exchange(netlink::conntrack::get_stats());
    works_ = replies.has_value();
    co_return works_;
}

awaitable<Result<std::size_t>> FlowPurge::purge(const Frontends& frontends) {
    std::size_t deleted = 0;
    for (const Family family : {Family::V4, Family::V6}) {
        if (!works_ || !frontends.has(family)) {
            continue;
        }
        const auto some = co_await purge(frontends, family);
        if (!some) {
            co_return some;
        }
        deleted += *some;
    }
    co_return deleted;
}

awaitable<Result<std::size_t>> FlowPurge::purge(const Frontends& frontends, Family family) {
    std::size_t deleted = 0;
    for (int round = 0; round < kMostRounds; ++round) {
        std::vector<Flow> stale;
        const RequestSocket::OnMessage collect = [&](const Message& message) {
            const auto flow = netlink::conntrack::decode_flow(message.payload);
            if (flow && stale.size() < kMostAtOnce && frontends.is_stale(*flow)) {
                stale.push_back(*flow);
            }
        };
        const RequestSocket::OnRestart forget = [&stale] {
            stale.clear();
        };
        const auto listed =
            co_await socket_->dump(netlink::conntrack::dump_udp(family), collect, forget);
        if (!listed) {
            co_return make_error(
                listed.error().code, "listing tracked flows: " + listed.error().context
            );
        }
        const RequestSocket::Encode encode = [&stale](std::size_t index) {
            return netlink::conntrack::del(stale[index]);
        };
        const auto result = co_await socket_->batch(stale.size(), encode);
        // One that went by itself, or that another took the place of, is no failure.
        deleted += static_cast<std::size_t>(std::ranges::count(result.errors, 0));
        if (stale.size() < kMostAtOnce) {
            break;
        }
    }
    co_return deleted;
}

}  // namespace steelyard::dataplane
