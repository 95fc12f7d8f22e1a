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
        config.gossip->meta = encode(NodeMeta{});
        config.gossip->timing = gossip::timing(gossip::Profile::Lan);
        return config;
    }

    WireSide::Callbacks callbacks() {
        WireSide::Callbacks callbacks;
        callbacks.on_members = [this](const WireSide::Members& members) {
            members_ = members;
            changed_.notify();
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
    WireSide::Members members_;
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
    auto wire = WireSide::start(ioc_.get_executor(), gossip_on(loopback), callbacks());
    ASSERT_TRUE(wire.has_value()) << to_string(wire.error());
    const auto story = [&]() -> awaitable<void> {
        (*wire)->set_ready(true);
        co_await changed_.wait();
        co_await (*wire)->stop();
    };
    run(story());
    ASSERT_TRUE(members_);
    ASSERT_EQ(members_->size(), 1U);
    const auto meta = decode_node_meta(members_->front().meta);
    ASSERT_TRUE(meta.has_value());
    EXPECT_TRUE(meta->ready);
    EXPECT_THAT(errors_, testing::IsEmpty());
}

TEST_F(WireSideTest, WithoutGossipItStartsCountsNothingAndStops) {
    auto wire = WireSide::start(ioc_.get_executor(), WireConfig(), callbacks());
    ASSERT_TRUE(wire.has_value());
    WireSide::Counters counters;
    const auto story = [&]() -> awaitable<void> {
        counters = co_await (*wire)->counters();
        co_await (*wire)->stop();
    };
    run(story());
    EXPECT_TRUE(counters.empty());
}

}  // namespace
}  // namespace steelyard::speaker
