#include "speaker/io/gossip/gossip_driver.hpp"

#include "common/rt/sleep.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

namespace steelyard::io {
namespace {

using namespace std::chrono_literals;
using gossip::Changed;

// Several drivers on one io_context and loopback; the loop runs until a condition holds. The
// deadline is there for the case that it never does.
class GossipDriverTest : public testing::Test {
protected:
    struct Node {
        std::unique_ptr<GossipDriver> driver;
        std::vector<std::string> events;
        std::vector<std::string> refused;
        std::vector<std::string> failed;
    };

    static GossipDriver::Options options(const std::string& name) {
        GossipDriver::Options out;
        out.bind = net::IpAddress::v4(0x7f000001);
        out.seed = 1;
        out.config.name = name;
        out.config.envelope.keys =
            gossip_wire::KeyRing::make({gossip_wire::metallb_key("secret")}).value();
        return out;
    }

    Node& start(GossipDriver::Options options) {
        nodes_.push_back(std::make_unique<Node>());
        Node& node = *nodes_.back();
        GossipDriver::Handlers handlers;
        handlers.changed = [&node](const Changed& changed, const Members&) {
            if (changed.member.name == "poison") {
                throw std::runtime_error("an owner's own bug");
            }
            node.events.push_back(std::string(to_string(changed.kind)) + " " + changed.member.name);
        };
        handlers.refused = [&node](const std::string& why) {
            node.refused.push_back(why);
        };
        handlers.failed = [&node](const std::string& why) {
            node.failed.push_back(why);
        };
        auto driver =
            GossipDriver::create(ioc_.get_executor(), std::move(options), std::move(handlers));
        EXPECT_TRUE(driver.has_value());
        node.driver = std::move(*driver);
        node.driver->start();
        return node;
    }

    bool run_until(const std::function<bool()>& condition) {
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (!condition() && std::chrono::steady_clock::now() < end) {
            ioc_.restart();
            ioc_.run_one_for(20ms);
        }
        return condition();
    }

    void run(awaitable<void> task) {
        bool done = false;
        rt::TaskGroup group(
            ioc_.get_executor(),
            [&](const std::string&, const std::exception_ptr& error) {
                EXPECT_FALSE(error) << rt::describe(error);
                done = true;
            }
        );
        group.spawn("task", std::move(task));
        EXPECT_TRUE(run_until([&] { return done; }));
    }

    static bool has(const Node& node, const std::string& event) {
        return std::count(node.events.begin(), node.events.end(), event) > 0;
    }

    void TearDown() override {
        for (const auto& node : nodes_) {
            run(node->driver->stop());
        }
    }

    asio::io_context ioc_{1};
    std::vector<std::unique_ptr<Node>> nodes_;
};

TEST_F(GossipDriverTest, NodesJoinAndOneIsMissedWhenItStops) {
    Node& a = start(options("a"));
    Node& b = start(options("b"));
    Node& c = start(options("c"));
    b.driver->set_peers({a.driver->address()});
    c.driver->set_peers({a.driver->address()});
    EXPECT_TRUE(run_until([&] {
        return a.driver->members()->size() == 3 && b.driver->members()->size() == 3 &&
               c.driver->members()->size() == 3;
    }));

    run(c.driver->stop());

    EXPECT_TRUE(run_until([&] { return has(a, "failed c") && has(b, "failed c"); }));
    EXPECT_TRUE(has(a, "suspected c") || has(b, "suspected c"));
}

TEST_F(GossipDriverTest, LeavingIsSeenAsLeaving) {
    Node& a = start(options("a"));
    Node& b = start(options("b"));
    b.driver->set_peers({a.driver->address()});
    EXPECT_TRUE(run_until([&] { return has(a, "joined b") && has(b, "joined a"); }));

    run(b.driver->leave());
    run(b.driver->stop());

    EXPECT_TRUE(run_until([&] { return has(a, "left b"); }));
    EXPECT_FALSE(has(a, "failed b"));
}

TEST_F(GossipDriverTest, IPv6WorksTheSame) {
    GossipDriver::Options first = options("a");
    GossipDriver::Options second = options("b");
    first.bind = second.bind = net::IpAddress::parse("::1").value();
    if (!GossipDriver::create(ioc_.get_executor(), first, {})) {
        GTEST_SKIP() << "no IPv6 loopback here";
    }
    Node& a = start(first);
    Node& b = start(second);
    b.driver->set_peers({a.driver->address()});

    EXPECT_TRUE(run_until([&] { return has(a, "joined b") && has(b, "joined a"); }));
}

TEST_F(GossipDriverTest, NewMetaReachesTheOthers) {
    Node& a = start(options("a"));
    Node& b = start(options("b"));
    b.driver->set_peers({a.driver->address()});
    EXPECT_TRUE(run_until([&] { return has(a, "joined b"); }));

    EXPECT_TRUE(b.driver->update_meta(wire::Bytes(4, std::byte{'m'})).has_value());

    EXPECT_TRUE(run_until([&] { return has(a, "updated b"); }));
}

TEST_F(GossipDriverTest, APeerThatStartsLaterIsJoinedInTheEnd) {
    Node& a = start(options("a"));
    GossipDriver::Options late = options("b");
    {
        // A port that is free, to be used again in a moment.
        auto probe = GossipDriver::create(ioc_.get_executor(), options("probe"), {});
        late.config.address.port = (*probe)->address().port;
    }
    a.driver->set_peers({net::Endpoint{late.bind, late.config.address.port}});
    ioc_.run_for(100ms);

    start(late);

    EXPECT_TRUE(run_until([&] { return has(a, "joined b"); }));
}

TEST_F(GossipDriverTest, KeysAreReplacedWhileRunning) {
    const auto ring = [](std::vector<std::string_view> secrets) {
        std::vector<gossip_wire::Key> keys;
        for (const std::string_view secret : secrets) {
            keys.push_back(gossip_wire::metallb_key(secret));
        }
        return gossip_wire::KeyRing::make(std::move(keys)).value();
    };
    Node& a = start(options("a"));
    Node& b = start(options("b"));
    b.driver->set_peers({a.driver->address()});
    EXPECT_TRUE(run_until([&] { return has(a, "joined b") && has(b, "joined a"); }));

    for (const auto& step : {ring({"secret", "new"}), ring({"new", "secret"}), ring({"new"})}) {
        EXPECT_TRUE(a.driver->set_keys(step).has_value());
        EXPECT_TRUE(b.driver->set_keys(step).has_value());
    }
    EXPECT_TRUE(b.driver->update_meta(wire::Bytes(4, std::byte{'m'})).has_value());

    EXPECT_TRUE(run_until([&] { return has(a, "updated b"); }));
    EXPECT_FALSE(a.driver->set_keys({}).has_value());
}

TEST_F(GossipDriverTest, AnExceptionInATaskIsToldAsAFailure) {
    Node& a = start(options("a"));
    Node& b = start(options("poison"));

    b.driver->set_peers({a.driver->address()});

    EXPECT_TRUE(run_until([&] { return !a.failed.empty(); }));
    EXPECT_NE(a.failed.front().find("an owner's own bug"), std::string::npos);
    EXPECT_TRUE(b.failed.empty());
}

TEST_F(GossipDriverTest, AnotherKeyIsRefusedAndReported) {
    Node& a = start(options("a"));
    GossipDriver::Options stranger = options("b");
    stranger.config.envelope.keys =
        gossip_wire::KeyRing::make({gossip_wire::metallb_key("other")}).value();
    Node& b = start(stranger);

    b.driver->set_peers({a.driver->address()});

    EXPECT_TRUE(run_until([&] { return !a.refused.empty(); }));
    EXPECT_EQ(a.driver->members()->size(), 1U);
    EXPECT_GT(a.driver->counters().refused_for(gossip_wire::Refusal::WrongKey), 0U);
}

TEST_F(GossipDriverTest, ATakenPortIsOneClearLine) {
    Node& a = start(options("a"));
    GossipDriver::Options same = options("b");
    same.config.address.port = a.driver->address().port;

    const auto second = GossipDriver::create(ioc_.get_executor(), same, {});

    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(
        second.error().context,
        "gossip address " + to_string(a.driver->address()) + ": cannot bind: Address already in use"
    );
}

TEST_F(GossipDriverTest, ASilentConnectionIsClosedAtItsDeadline) {
    GossipDriver::Options impatient = options("a");
    impatient.config.timing.stream_timeout = 50ms;
    Node& a = start(impatient);
    asio::ip::tcp::socket socket(ioc_);
    socket.connect({asio::ip::address_v4::loopback(), a.driver->address().port});

    bool closed = false;
    std::array<char, 1> byte{};
    socket.async_read_some(
        asio::buffer(byte),
        [&](const boost::system::error_code& ec, std::size_t) { closed = static_cast<bool>(ec); }
    );

    EXPECT_TRUE(run_until([&] { return closed; }));
}

TEST_F(GossipDriverTest, GarbageOverUdpAndTcpChangesNothing) {
    Node& a = start(options("a"));
    const asio::ip::udp::endpoint udp(asio::ip::address_v4::loopback(), a.driver->address().port);
    asio::ip::udp::socket packets(ioc_, asio::ip::udp::v4());
    packets.send_to(asio::buffer(std::string("garbage")), udp);
    packets.send_to(asio::buffer(std::string()), udp);
    asio::ip::tcp::socket stream(ioc_);
    stream.connect({asio::ip::address_v4::loopback(), a.driver->address().port});
    asio::write(stream, asio::buffer(std::string("GET / HTTP/1.0\r\n\r\n")));

    EXPECT_TRUE(run_until([&] { return a.refused.size() >= 3; }));
    EXPECT_EQ(a.driver->members()->size(), 1U);
}

}  // namespace
}  // namespace steelyard::io
