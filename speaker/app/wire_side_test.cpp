#include "speaker/app/wire_side.hpp"

#include "common/rt/task_group.hpp"
#include "speaker/app/node_meta/node_meta.hpp"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace steelyard::speaker {
namespace {

using testing::HasSubstr;

// A control thread of one io_context round one wire side on loopback.
class WireSideTest : public testing::Test {
protected:
    static WireConfig gossip_on(const net::IpAddress& address) {
        WireConfig config;
        config.seed = 1;
        config.gossip.emplace();
        config.gossip->name = "n1";
        config.gossip->address = {address, 0};
        config.gossip->timing = gossip::timing(gossip::Profile::Lan);
        return config;
    }

    WireSide::Callbacks callbacks() {
        WireSide::Callbacks callbacks;
        callbacks.on_sight = [this](const WireSide::SightRef& sight) {
            sight_ = sight;
            changed_.notify();
        };
        callbacks.on_refused = [](const Error&) {
        };
        callbacks.on_failed = [this](const Error& error) {
            errors_.push_back(to_string(error));
        };
        callbacks.on_conflict = [](const l2::Conflict&) {
        };
        callbacks.on_error = [this](const Error& error) {
            errors_.push_back(to_string(error));
        };
        return callbacks;
    }

    void run(awaitable<void> story) {
        rt::TaskGroup tasks(ioc_.get_executor(), [](const std::string&, std::exception_ptr error) {
            EXPECT_FALSE(error) << rt::describe(error);
        });
        tasks.spawn("story", std::move(story));
        ioc_.run();
    }

    asio::io_context ioc_{1};
    rt::Signal changed_{ioc_.get_executor()};
    WireSide::SightRef sight_;
    std::vector<std::string> errors_;
};

TEST_F(WireSideTest, AGossipAddressThatIsNotOursIsRefusedInOneLine) {
    const auto elsewhere = net::IpAddress::parse("192.0.2.1").value();
    const auto wire = WireSide::start(ioc_.get_executor(), gossip_on(elsewhere), callbacks());
    ASSERT_FALSE(wire.has_value());
    EXPECT_THAT(to_string(wire.error()), HasSubstr("192.0.2.1"));
}

TEST_F(WireSideTest, ReadinessIsSeenInTheNodesOwnList) {
    const auto loopback = net::IpAddress::parse("127.0.0.1").value();
    WireConfig config = gossip_on(loopback);
    config.ring.emplace();
    config.ring->epoch = 42;
    auto wire = WireSide::start(ioc_.get_executor(), std::move(config), callbacks());
    ASSERT_TRUE(wire.has_value()) << to_string(wire.error());
    NodeMeta ready;
    ready.ready = true;
    const auto story = [&]() -> awaitable<void> {
        (*wire)->set_meta(ready);
        co_await changed_.wait();
        co_await (*wire)->stop(Duration::zero());
    };
    run(story());
    ASSERT_TRUE(sight_);
    ASSERT_EQ(sight_->members.size(), 1U);
    const auto meta = decode_node_meta(sight_->members.front().meta);
    ASSERT_TRUE(meta.has_value());
    EXPECT_TRUE(meta->ready);
    ASSERT_TRUE(meta->ring.has_value());
    EXPECT_NE(meta->ring->port, 0);
    EXPECT_EQ(meta->ring->epoch, 42U);
    EXPECT_THAT(errors_, testing::IsEmpty());
}

TEST_F(WireSideTest, WithoutGossipItStartsCountsNothingAndStops) {
    auto wire = WireSide::start(ioc_.get_executor(), WireConfig(), callbacks());
    ASSERT_TRUE(wire.has_value());
    WireCounters counters;
    const auto story = [&]() -> awaitable<void> {
        counters = co_await (*wire)->counters();
        co_await (*wire)->stop(Duration::zero());
    };
    run(story());
    EXPECT_TRUE(counters.addresses.empty());
    EXPECT_FALSE(counters.gossip.has_value());
}

}  // namespace
}  // namespace steelyard::speaker
