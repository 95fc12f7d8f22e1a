#include "speaker/io/netlink/link_monitor.hpp"

#include "common/rt/sleep.hpp"
#include "speaker/io/netlink/socket.hpp"
#include "speaker/netlink/link_table.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <array>
#include <chrono>
#include <utility>

namespace steelyard::netlink {
namespace {

constexpr auto kRetry = std::chrono::seconds{1};

}  // namespace

LinkMonitor::LinkMonitor(
    const asio::any_io_executor& executor, std::set<std::string> ignored, OnChange on_change
)
    : executor_(executor),
      on_change_(std::move(on_change)),
      table_(std::make_unique<LinkTable>(std::move(ignored))) {}

LinkMonitor::~LinkMonitor() = default;

awaitable<Result<>> LinkMonitor::start() {
    // Subscribed first: what changes during the dump arrives as an event after it.
    auto events = EventSocket::open(
        executor_, NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
    );
    if (!events) {
        co_return events.error();
    }
    events_ = std::move(*events);
    co_return co_await resync();
}

awaitable<Result<>> LinkMonitor::resync() {
    auto requests = RequestSocket::open(executor_, NETLINK_ROUTE);
    if (!requests) {
        co_return requests.error();
    }
    LinkTable fresh = *table_;
    fresh.clear();
    std::vector<Bytes> dumps;
    dumps.push_back(dump_links());
    dumps.push_back(dump_addresses());
    for (Bytes& dump : dumps) {
        auto replies = co_await (*requests)->exchange(std::move(dump));
        if (!replies) {
            co_return replies.error();
        }
        for (const Reply& reply : *replies) {
            fresh.apply(reply.type, reply.payload);
        }
    }
    *table_ = std::move(fresh);
    snapshot_ = table_->snapshot();
    co_return Result<>();
}

void LinkMonitor::publish() {
    auto now = table_->snapshot();
    if (now != snapshot_) {
        snapshot_ = std::move(now);
        on_change_(snapshot_);
    }
}

awaitable<void> LinkMonitor::run() {
    for (;;) {
        Result<ByteView> datagram = co_await events_->receive();
        bool changed = false;
        while (datagram) {  // all that is queued, so that a burst is one change
            for (const Message& message : split(*datagram)) {
                changed = table_->apply(message.type, message.payload) || changed;
            }
            datagram = events_->try_receive();
        }
        if (changed) {
            publish();
        }
        while (!would_block(datagram.error())) {
            const auto before = snapshot_;
            if (auto synced = co_await resync(); synced) {
                if (snapshot_ != before) {
                    on_change_(snapshot_);
                }
                break;
            }
            co_await rt::sleep_for(kRetry);
        }
    }
}

}  // namespace steelyard::netlink
