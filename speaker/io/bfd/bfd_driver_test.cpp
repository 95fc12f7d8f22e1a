#include "speaker/io/bfd/bfd_driver.hpp"

#include "common/rt/task_group.hpp"
#include "speaker/io/l2/netns_fixture.hpp"

#include <boost/asio/io_context.hpp>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>

namespace steelyard::io {
namespace {

using namespace std::chrono_literals;
using bfd::Diagnostic;
using bfd::Drop;
using bfd::State;

// Two drivers on one io_context, the one in the node's network, the other in the client's; real
// packets on a veth pair. The loop runs until a condition holds; its limit is for the case that it
// never does.
class BfdDriverTest : public io_l2::NetnsFixture {
protected:
    struct Change {
        std::string key;
        State state;
        Diagnostic diagnostic;
    };
    struct Side {
        std::vector<Change> changes;
        std::vector<std::string> troubles;
        std::unique_ptr<BfdDriver> driver;

        [[nodiscard]] bool is(const std::string& key, State state) const {
            const auto all = driver->status();
            return std::any_of(all.begin(), all.end(), [&](const BfdSessionStatus& one) {
                return one.key == key && one.session.state == state;
            });
        }
        [[nodiscard]] std::uint64_t drops(Drop reason) const {
            return driver->drops()[static_cast<std::size_t>(reason)];
        }
    };

    void SetUp() override {
        NetnsFixture::SetUp();
        if (IsSkipped()) {
            return;
        }
        make(node_);
        make(client_);
    }

    void make(Side& side) {
        BfdDriver::Handlers handlers;
        handlers.on_change =
            [&side](const std::string& key, State state, Diagnostic diagnostic, Instant) {
                side.changes.push_back({key, state, diagnostic});
            };
        handlers.on_trouble = [&side](const std::string& line) {
            side.troubles.push_back(line);
        };
        BfdDriver::Options options;
        options.seed = 7;
        side.driver =
            std::make_unique<BfdDriver>(ioc_.get_executor(), options, std::move(handlers));
    }

    static bfd::SessionConfig session(
        const std::string& key, const std::string& remote, const std::string& interface = ""
    ) {
        bfd::SessionConfig out;
        out.key = key;
        out.remote = net::IpAddress::parse(remote).value();
        out.interface = interface;
        out.profile.receive = out.profile.transmit = 50ms;
        return out;
    }

    void node_sessions(std::vector<bfd::SessionConfig> sessions) {
        node_.driver->set_sessions(std::move(sessions));
    }
    void client_sessions(const std::vector<bfd::SessionConfig>& sessions) {
        with_client([&] { client_.driver->set_sessions(sessions); });
    }

    bool run_until(const std::function<bool()>& condition) {
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (!condition() && std::chrono::steady_clock::now() < end) {
            ioc_.restart();
            ioc_.run_one_for(20ms);
        }
        return condition();
    }
    bool run_until_up(const std::string& key) {
        return run_until([&] { return node_.is(key, State::Up) && client_.is(key, State::Up); });
    }

    void stop(Side& side) {
        if (!side.driver) {
            return;
        }
        bool done = false;
        rt::TaskGroup group(
            ioc_.get_executor(),
            [&](const std::string&, const std::exception_ptr& error) {
                EXPECT_FALSE(error) << rt::describe(error);
                done = true;
            }
        );
        group.spawn("stop", side.driver->stop());
        EXPECT_TRUE(run_until([&] { return done; }));
        side.driver.reset();
    }

    void TearDown() override {
        stop(node_);
        stop(client_);
    }

    // A control packet from the client's network as anybody could send it.
    static void inject(int ttl) {
        bfd::ControlPacket packet;
        packet.my_discriminator = 1;
        const bfd::PacketBytes bytes = bfd::encode(packet);
        with_client([&] {
            const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            sockaddr_in to{};
            to.sin_family = AF_INET;
            to.sin_port = htons(bfd::kSingleHopPort);
            to.sin_addr.s_addr = htonl(0x0a090001);
            EXPECT_EQ(::setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl), 0);
            const auto size = static_cast<ssize_t>(bytes.size());
            EXPECT_EQ(
                ::sendto(
                    fd,
                    bytes.data(),
                    bytes.size(),
                    0,
                    reinterpret_cast<const sockaddr*>(&to),
                    sizeof to
                ),
                size
            );
            ::close(fd);
        });
    }

    asio::io_context ioc_{1};
    Side node_;
    Side client_;
};

TEST_F(BfdDriverTest, IPv4IPv6AndLinkLocalComeUp) {
    in_node("ip addr add fe80::1/64 dev eth0 nodad");
    in_client("ip addr add fe80::2/64 dev eth0 nodad");
    node_sessions(
        {session("v4", "10.9.0.2"), session("v6", "fd09::2"), session("ll", "fe80::2", "eth0")}
    );
    client_sessions(
        {session("v4", "10.9.0.1"), session("v6", "fd09::1"), session("ll", "fe80::1", "eth0")}
    );

    EXPECT_TRUE(run_until_up("v4"));
    EXPECT_TRUE(run_until_up("v6"));
    EXPECT_TRUE(run_until_up("ll"));
    const auto& status = node_.driver->status()[1];
    EXPECT_TRUE(run_until([&] { return node_.driver->status()[1].session.detection_time == 150ms; })
    ) << status.trouble;
}

TEST_F(BfdDriverTest, WhoStopsIsNotTakenForAFailure) {
    node_sessions({session("a", "10.9.0.2")});
    client_sessions({session("a", "10.9.0.1")});
    ASSERT_TRUE(run_until_up("a"));

    stop(client_);

    EXPECT_TRUE(run_until([&] { return node_.is("a", State::AdminDown); }));
    EXPECT_EQ(node_.changes.back().diagnostic, Diagnostic::NeighborSignaledDown);
    EXPECT_EQ(node_.driver->status()[0].session.counters.downs, 0U);
}

TEST_F(BfdDriverTest, ACutCableIsNoticed) {
    node_sessions({session("a", "10.9.0.2")});
    client_sessions({session("a", "10.9.0.1")});
    ASSERT_TRUE(run_until_up("a"));

    in_node("ip link set eth0 down");

    EXPECT_TRUE(run_until([&] { return node_.is("a", State::Down); }));
    EXPECT_EQ(node_.changes.back().diagnostic, Diagnostic::DetectionTimeExpired);
    in_node("ip link set eth0 up");  // whose socket lost its route, and is opened again
    EXPECT_TRUE(run_until_up("a"));
}

TEST_F(BfdDriverTest, AThreadThatSleptDropsNobodyWhoSpoke) {
    node_sessions({session("a", "10.9.0.2")});
    auto bound = session("a", "10.9.0.1");
    client_sessions({bound});
    ASSERT_TRUE(run_until_up("a"));
    ASSERT_TRUE(run_until([&] { return node_.driver->status()[0].session.detection_time == 150ms; })
    );

    // The thread does nothing until the node is overdue; then the client, which says something new,
    // speaks before the node's timer is served.
    const auto until = std::chrono::steady_clock::now() + 400ms;
    while (std::chrono::steady_clock::now() < until) {
    }
    bound.profile.multiplier = 4;
    client_sessions({bound});

    EXPECT_TRUE(run_until([&] { return node_.driver->status()[0].session.remote_multiplier == 4; })
    );
    EXPECT_EQ(node_.driver->status()[0].session.counters.downs, 0U);
}

TEST_F(BfdDriverTest, OnlyTtl255IsTaken) {
    node_sessions({session("a", "10.9.0.2")});

    inject(254);
    EXPECT_TRUE(run_until([&] { return node_.drops(Drop::TtlNot255) == 1; }));
    EXPECT_TRUE(node_.is("a", State::Down));
    inject(255);

    EXPECT_TRUE(run_until([&] { return node_.is("a", State::Init); }));
}

// The kernel reports the peer's refusal of a packet instead of sending the next one.
TEST_F(BfdDriverTest, APeerThatDoesNotListenYetLosesNoPacket) {
    node_sessions({session("a", "10.9.0.2")});
    ASSERT_TRUE(run_until([&] { return node_.driver->status()[0].session.counters.sent == 2; }));

    client_sessions({session("a", "10.9.0.1")});

    EXPECT_TRUE(run_until([&] { return client_.driver->status()[0].session.counters.received == 1; }
    ));
    EXPECT_EQ(node_.driver->status()[0].session.counters.sent, 3U);
}

TEST_F(BfdDriverTest, APeerWhosePacketsAreRefusedIsOneLine) {
    auto direct = session("a", "10.9.0.2");
    direct.local = net::IpAddress::parse("10.9.0.77").value();  // not where the client sends to
    in_node("ip addr add 10.9.0.77/24 dev eth0");
    node_sessions({direct});
    client_sessions({session("a", "10.9.0.1")});

    EXPECT_TRUE(run_until([&] { return !node_.troubles.empty(); }));

    ASSERT_EQ(node_.troubles.size(), 1U);
    EXPECT_EQ(
        node_.troubles[0],
        "BFD session \"a\": it sends to 10.9.0.1, the session here is at 10.9.0.77"
    );
    EXPECT_NE(node_.driver->status()[0].trouble, "");
}

TEST_F(BfdDriverTest, AnotherProfileChangesTheTimersWithoutAFlap) {
    node_sessions({session("a", "10.9.0.2")});
    client_sessions({session("a", "10.9.0.1")});
    ASSERT_TRUE(run_until_up("a"));
    auto slow = session("a", "10.9.0.2");
    slow.profile.receive = slow.profile.transmit = 200ms;
    slow.profile.multiplier = 5;

    node_sessions({slow});

    EXPECT_TRUE(run_until([&] {
        return client_.driver->status()[0].session.detection_time == 1s &&
               node_.driver->status()[0].session.detection_time == 600ms;
    }));
    EXPECT_EQ(node_.driver->status()[0].session.counters.ups, 1U);
    EXPECT_TRUE(node_.is("a", State::Up));
}

TEST_F(BfdDriverTest, AMissingInterfaceIsOneLineAndTriedAgain) {
    node_sessions({session("a", "fe80::2", "eth9")});

    ASSERT_EQ(node_.troubles.size(), 1U);
    EXPECT_EQ(
        node_.troubles[0].substr(0, node_.troubles[0].find(" (")),
        "BFD session \"a\": device \"eth9\": No such device"
    );
    EXPECT_NE(node_.driver->status()[0].trouble, "");
    in_node(
        "ip link add eth9 type bridge; ip link set eth9 up; ip addr add fe80::9/64 dev eth9 nodad"
    );
    EXPECT_TRUE(run_until([&] { return node_.driver->status()[0].trouble.empty(); }));
    in_node("ip link del eth9");
    EXPECT_EQ(node_.troubles.size(), 1U);
}

TEST_F(BfdDriverTest, ATakenPortSaysWhoMayHaveIt) {
    Side second;
    make(second);
    node_sessions({session("a", "10.9.0.2")});

    second.driver->set_sessions({session("b", "10.9.0.2")});

    ASSERT_EQ(second.troubles.size(), 1U);
    EXPECT_NE(
        second.troubles[0].find("does another BFD daemon run on this node?"), std::string::npos
    );
    stop(second);
}

}  // namespace
}  // namespace steelyard::io
