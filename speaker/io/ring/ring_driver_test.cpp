#include "speaker/io/ring/ring_driver.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

namespace steelyard::io {
namespace {

using namespace std::chrono_literals;

// Several drivers on one io_context and loopback; the loop runs until a condition holds. The
// deadline is there for the case that it never does.
class RingDriverTest : public testing::Test {
protected:
    struct Node {
        std::string name;
        std::uint64_t epoch = 0;
        std::unique_ptr<RingDriver> driver;
        std::vector<RingDriver::Names> changes;
        std::vector<Instant> leases;
        std::vector<std::string> refused;

        [[nodiscard]] ring::Peer peer() const { return {name, driver->address(), epoch}; }
        [[nodiscard]] bool holds(const std::string& other) const {
            return driver->unreachable().contains(other);
        }
    };

    static gossip_wire::KeyRing keys(std::vector<char> letters) {
        std::vector<gossip_wire::Key> out;
        for (const char letter : letters) {
            out.emplace_back(32, static_cast<std::byte>(letter));
        }
        return gossip_wire::KeyRing::make(std::move(out)).value();
    }

    static RingDriver::Options options(const std::string& name, std::uint64_t epoch = 1) {
        RingDriver::Options out;
        out.bind = net::IpAddress::v4(0x7f000001);
        out.seed = epoch;
        out.config.name = name;
        out.config.epoch = epoch;
        out.config.keys = keys({'a'});
        return out;
    }

    Node& start(const RingDriver::Options& options) {
        nodes_.push_back(std::make_unique<Node>());
        Node& node = *nodes_.back();
        node.name = options.config.name;
        node.epoch = options.config.epoch;
        RingDriver::Handlers handlers;
        handlers.changed = [&node](const RingDriver::Names& unreachable) {
            node.changes.push_back(unreachable);
        };
        handlers.lease = [&node](Instant until) {
            node.leases.push_back(until);
        };
        handlers.refused = [&node](const std::string& why) {
            node.refused.push_back(why);
        };
        auto driver = RingDriver::create(ioc_.get_executor(), options, std::move(handlers));
        EXPECT_TRUE(driver.has_value());
        node.driver = std::move(*driver);
        node.driver->start();
        return node;
    }

    static void introduce(const std::vector<Node*>& nodes) {
        for (const Node* one : nodes) {
            std::vector<ring::Peer> peers;
            for (const Node* other : nodes) {
                if (other != one) {
                    peers.push_back(other->peer());
                }
            }
            one->driver->set_peers(peers);
        }
    }

    bool run_until(const std::function<bool()>& condition) {
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (!condition() && std::chrono::steady_clock::now() < end) {
            ioc_.restart();
            ioc_.run_one_for(20ms);
        }
        return condition();
    }

    // All of these are watched by each other.
    bool settle(const std::vector<Node*>& nodes) {
        return run_until([&] {
            return std::all_of(nodes.begin(), nodes.end(), [&](const Node* node) {
                return node->driver->core().watched().size() == nodes.size() - 1;
            });
        });
    }

    void stop(Node& node) {
        bool done = false;
        rt::TaskGroup group(
            ioc_.get_executor(),
            [&](const std::string&, const std::exception_ptr& error) {
                EXPECT_FALSE(error) << rt::describe(error);
                done = true;
            }
        );
        group.spawn("stop", node.driver->stop());
        EXPECT_TRUE(run_until([&] { return done; }));
    }

    void TearDown() override {
        for (const auto& node : nodes_) {
            stop(*node);
        }
    }

    asio::io_context ioc_{1};
    std::vector<std::unique_ptr<Node>> nodes_;
};

TEST_F(RingDriverTest, ANodeThatStopsIsUnreachableAndItsNextLifeIsNot) {
    Node& a = start(options("a"));
    Node& b = start(options("b"));
    Node& c = start(options("c"));
    introduce({&a, &b, &c});
    ASSERT_TRUE(settle({&a, &b, &c}));

    stop(c);

    EXPECT_TRUE(run_until([&] { return a.holds("c") && b.holds("c"); }));
    EXPECT_EQ(a.changes.front(), RingDriver::Names{"c"});

    Node& again = start(options("c", 2));
    introduce({&a, &b, &again});

    EXPECT_TRUE(settle({&a, &b, &again}));
    EXPECT_FALSE(a.holds("c"));
    EXPECT_TRUE(a.changes.back().empty());
}

TEST_F(RingDriverTest, ANodeThatLeavesIsNotAccused) {
    Node& a = start(options("a"));
    Node& b = start(options("b"));
    Node& c = start(options("c"));
    introduce({&a, &b, &c});
    ASSERT_TRUE(settle({&a, &b, &c}));

    c.driver->leave();
    stop(c);

    EXPECT_TRUE(settle({&a, &b}));
    const auto beats = a.driver->counters().heartbeats_received;
    EXPECT_TRUE(run_until([&] { return a.driver->counters().heartbeats_received > beats + 8; }));
    EXPECT_EQ(a.driver->counters().accusations, 0U);
    EXPECT_TRUE(a.changes.empty());
    EXPECT_TRUE(b.changes.empty());
}

TEST_F(RingDriverTest, TheLeaseIsUnlimitedAloneAndMovesWithEachHeartbeat) {
    Node& a = start(options("a"));
    Node& b = start(options("b"));
    EXPECT_EQ(a.driver->lease(), Instant::max());

    introduce({&a, &b});

    EXPECT_TRUE(run_until([&] { return a.leases.size() >= 5; }));
    EXPECT_TRUE(std::is_sorted(a.leases.begin(), a.leases.end()));
    a.driver->set_peers({});
    EXPECT_EQ(a.leases.back(), Instant::max());
}

TEST_F(RingDriverTest, IPv6WorksTheSame) {
    RingDriver::Options first = options("a");
    RingDriver::Options second = options("b");
    first.bind = second.bind = net::IpAddress::parse("::1").value();
    if (!RingDriver::create(ioc_.get_executor(), first, {})) {
        GTEST_SKIP() << "no IPv6 loopback here";
    }
    Node& a = start(first);
    Node& b = start(second);

    introduce({&a, &b});

    EXPECT_TRUE(settle({&a, &b}));
}

TEST_F(RingDriverTest, KeysRotateWithoutASuspicion) {
    Node& a = start(options("a"));
    Node& b = start(options("b"));
    introduce({&a, &b});
    ASSERT_TRUE(settle({&a, &b}));
    const std::vector<std::vector<char>> steps = {{'a', 'b'}, {'b', 'a'}, {'b'}};

    for (const auto& step : steps) {
        for (Node* node : {&a, &b}) {
            node->driver->set_keys(keys(step));
            const auto beats = node->driver->counters().heartbeats_received;
            EXPECT_TRUE(run_until([&] {
                return node->driver->counters().heartbeats_received > beats + 2;
            }));
        }
    }

    for (const Node* node : {&a, &b}) {
        EXPECT_EQ(node->driver->counters().accusations, 0U);
        EXPECT_EQ(node->driver->counters().unopened, 0U);
    }
}

TEST_F(RingDriverTest, AnotherKeyIsRefusedAndReported) {
    Node& a = start(options("a"));
    RingDriver::Options stranger = options("b");
    stranger.config.keys = keys({'z'});
    Node& b = start(stranger);

    introduce({&a, &b});

    EXPECT_TRUE(run_until([&] { return !a.refused.empty(); }));
    EXPECT_EQ(
        a.refused.front(),
        "from " + to_string(b.driver->address()) + ": ring packet of b: none of our keys opens it"
    );
    EXPECT_TRUE(a.driver->core().watched().empty());
}

TEST_F(RingDriverTest, GarbageChangesNothing) {
    Node& a = start(options("a"));
    const asio::ip::udp::endpoint to(asio::ip::address_v4::loopback(), a.driver->address().port);
    asio::ip::udp::socket socket(ioc_, asio::ip::udp::v4());
    for (const std::size_t size : {0U, 1U, 32U, 60U, 2000U, 9000U}) {
        socket.send_to(asio::buffer(std::string(size, '\1')), to);
    }

    EXPECT_TRUE(run_until([&] { return a.refused.size() == 6; }));
    EXPECT_TRUE(a.changes.empty());
}

TEST_F(RingDriverTest, ATakenPortIsOneClearLine) {
    Node& a = start(options("a"));
    RingDriver::Options same = options("b");
    same.port = a.driver->address().port;

    const auto second = RingDriver::create(ioc_.get_executor(), same, {});

    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(
        second.error().context,
        "watch ring address " + to_string(a.driver->address()) +
            ": cannot bind: Address already in use"
    );
}

TEST_F(RingDriverTest, AConfigOutOfBoundsIsOneClearLine) {
    RingDriver::Options wrong = options("a");
    wrong.config.interval = 5ms;

    const auto driver = RingDriver::create(ioc_.get_executor(), wrong, {});

    ASSERT_FALSE(driver.has_value());
    EXPECT_EQ(driver.error().context, "watch ring: interval 5000us, accepted are 10ms to 1s");
}

}  // namespace
}  // namespace steelyard::io
