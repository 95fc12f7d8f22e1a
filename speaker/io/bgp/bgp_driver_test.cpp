#include "speaker/io/bgp/bgp_fixture.hpp"
#include "speaker/io/bgp/tcp_options.hpp"

#include <gmock/gmock.h>

#include <algorithm>

namespace steelyard::io {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class BgpDriverTest : public testing::Test, protected BgpFixture {
protected:
    // A node and a router with a session between them.
    void connect(BgpDriver::Options options = test_options()) {
        node_ = &add_node(std::move(options));
        router_ = &add_router();
        node_->driver->set_peers({peer(*router_)});
        ASSERT_TRUE(run_until([&] { return node_->established("tor"); }));
    }
    bool announced(std::size_t count) {
        return run_until([&] { return router_->announced().size() >= count; });
    }

    BgpNode* node_ = nullptr;
    TestRouter* router_ = nullptr;
};

TEST_F(BgpDriverTest, RoutesReachThePeerWithTheSessionsNextHop) {
    connect();

    node_->driver->apply(announce("192.0.2.1"), 7);

    ASSERT_TRUE(announced(1));
    const auto update = router_->updates().front();
    EXPECT_THAT(update.announced, ElementsAre(prefix("192.0.2.1/32")));
    EXPECT_THAT(update.attributes.as_path, ElementsAre(64512));
    EXPECT_EQ(update.attributes.next_hop, node_->peer("tor").local.address);
    EXPECT_TRUE(run_until([&] { return node_->peer("tor").synced == 7; }));
    EXPECT_TRUE(node_->peer("tor").in_sync);
    EXPECT_EQ(node_->peer("tor").prefixes_v4, 1U);
}

TEST_F(BgpDriverTest, NothingGoesOutBeforeTheFirstPlan) {
    connect();
    run_for(50ms);
    EXPECT_THAT(router_->updates(), IsEmpty());
    EXPECT_FALSE(node_->peer("tor").in_sync);

    node_->driver->apply({}, 1);

    EXPECT_TRUE(run_until([&] { return router_->updates().size() == 1; }));
    EXPECT_TRUE(router_->updates().front().end_of_rib_v4());
}

TEST_F(BgpDriverTest, ChangesOfOneTurnShareAnUpdate) {
    connect();
    node_->driver->apply({}, 1);
    ASSERT_TRUE(run_until([&] { return router_->updates().size() == 1; }));

    for (unsigned i = 0; i < 100; ++i) {
        node_->driver->apply(announce("192.0.2." + std::to_string(i)), 2 + i);
    }

    ASSERT_TRUE(announced(100));
    EXPECT_THAT(router_->updates(), SizeIs(2));
}

TEST_F(BgpDriverTest, StatusIsToldOncePerTurn) {
    connect();
    const std::size_t before = node_->status_calls;

    for (unsigned i = 0; i < 100; ++i) {
        node_->driver->apply(announce("192.0.2." + std::to_string(i)), 1 + i);
    }
    ASSERT_TRUE(run_until([&] { return node_->peer("tor").synced == 100; }));

    EXPECT_LE(node_->status_calls - before, 2U);
}

TEST_F(BgpDriverTest, APeerThatDoesNotReadCostsOneBufferAndGetsTheLastWord) {
    BgpDriver::Options options = test_options();
    options.write_buffer = 8192;
    options.send_buffer = 4096;
    node_ = &add_node(options);
    router_ = &add_router();
    router_->receive_buffer = 4096;
    router_->reading = false;
    node_->driver->apply(announce("10.0.0.0", 20000), 1);
    node_->driver->set_peers({peer(*router_)});
    ASSERT_TRUE(run_until([&] { return router_->has_call(); }));
    router_->reading = true;
    ASSERT_TRUE(run_until([&] { return node_->established("tor"); }));
    router_->reading = false;
    run_for(50ms);
    const auto blocked = node_->peer("tor");
    EXPECT_FALSE(blocked.in_sync);
    EXPECT_LT(blocked.counters.out.bytes, 90'000U);  // of 100 000 and more

    bgp_rib::Changes gone;
    for (const bgp_rib::Route& route : announce("10.0.0.0", 20000).upsert) {
        gone.remove.push_back(route.prefix);
    }
    node_->driver->apply(gone, 2);
    run_for(20ms);
    EXPECT_EQ(node_->peer("tor").synced, 0U) << "the announcements are still in the buffer";
    router_->reading = true;

    ASSERT_TRUE(run_until([&] { return node_->peer("tor").synced == 2; }));
    EXPECT_LT(router_->announced().size(), 20000U);
    EXPECT_EQ(router_->announced().size(), router_->withdrawn().size());
    EXPECT_EQ(node_->peer("tor").prefixes_v4, 0U);
}

TEST_F(BgpDriverTest, ALostSessionComesBackAndIsToldEverythingAgain) {
    connect();
    node_->driver->apply(announce("192.0.2.1"), 1);
    ASSERT_TRUE(announced(1));

    router_->hang_up();

    ASSERT_TRUE(run_until([&] { return router_->calls() == 2; }));
    ASSERT_TRUE(announced(1));
    EXPECT_TRUE(run_until([&] { return node_->peer("tor").flaps == 1; }));
    EXPECT_TRUE(node_->logged("peer tor: established with 127.0.0.9:"));
}

TEST_F(BgpDriverTest, ARefusedConnectionIsSaidOnceAndTriedAgain) {
    BgpNode& node = add_node();
    bgp::PeerConfig config = peer("tor", "127.0.0.9");
    {
        TestRouter gone(ioc_, "127.0.0.9", 64513);
        config.port = gone.port();
    }
    node.driver->set_peers({config});

    ASSERT_TRUE(run_until([&] { return node.peer("tor").counters.connects >= 2; }));

    EXPECT_EQ(node.peer("tor").trouble->kind, bgp::Trouble::Kind::Refused);
    EXPECT_THAT(node.log, ElementsAre(HasSubstr("refuses connections")));
}

TEST_F(BgpDriverTest, ASourceAddressThatIsNotHereIsNamed) {
    BgpNode& node = add_node();
    bgp::PeerConfig config = peer("tor", "127.0.0.9");
    config.source = ip("203.0.113.1");
    node.driver->set_peers({config});

    ASSERT_TRUE(run_until([&] { return node.peer("tor").trouble.has_value(); }));
    EXPECT_EQ(node.peer("tor").trouble->kind, bgp::Trouble::Kind::Local);
    EXPECT_THAT(node.peer("tor").trouble->text, HasSubstr("203.0.113.1 is not on this node"));
}

TEST_F(BgpDriverTest, AVrfThatIsNotHereIsNamed) {
    BgpNode& node = add_node();
    bgp::PeerConfig config = peer("tor", "127.0.0.9");
    config.vrf = "no-such-vrf";
    node.driver->set_peers({config});

    ASSERT_TRUE(run_until([&] { return node.peer("tor").trouble.has_value(); }));
    EXPECT_THAT(node.peer("tor").trouble->text, HasSubstr("using VRF no-such-vrf"));
    EXPECT_TRUE(node.logged("BGP cannot listen on"));
}

TEST_F(BgpDriverTest, TheSourceAddressIsUsed) {
    BgpNode& node = add_node();
    TestRouter& router = add_router();
    bgp::PeerConfig config = peer(router);
    config.source = ip("127.0.0.5");
    node.driver->set_peers({config});

    ASSERT_TRUE(run_until([&] { return node.established("tor"); }));
    EXPECT_EQ(node.peer("tor").local.address, ip("127.0.0.5"));
}

TEST_F(BgpDriverTest, APassivePeerIsLetIn) {
    node_ = &add_node();
    router_ = &add_router();
    bgp::PeerConfig config = peer(*router_);
    config.passive = true;
    node_->driver->set_peers({config});
    node_->driver->apply(announce("192.0.2.1"), 1);

    router_->call("127.0.0.1", node_->driver->listen_port());

    EXPECT_TRUE(announced(1));
    EXPECT_TRUE(run_until([&] { return node_->established("tor"); }));
}

TEST_F(BgpDriverTest, ACallerNobodyKnowsIsClosedAndCounted) {
    node_ = &add_node();
    router_ = &add_router();
    TestRouter& stranger = add_router("127.0.0.10");
    bgp::PeerConfig config = peer(*router_);
    config.passive = true;
    node_->driver->set_peers({config});

    stranger.call("127.0.0.1", node_->driver->listen_port());

    EXPECT_TRUE(run_until([&] { return stranger.ended(); }));
    EXPECT_EQ(node_->driver->unknown_callers(), 1U);
    EXPECT_THAT(node_->log, ElementsAre(HasSubstr("from 127.0.0.10 closed: no peer has this")));
    stranger.call("127.0.0.1", node_->driver->listen_port());
    EXPECT_TRUE(run_until([&] { return node_->driver->unknown_callers() == 2; }));
    EXPECT_THAT(node_->log, SizeIs(1));
}

TEST_F(BgpDriverTest, OfTwoPeersBehindOneAddressTheAsOfTheOpenDecides) {
    BgpNode& node = add_node();
    TestRouter& one = add_router("127.0.0.9", 64513);
    TestRouter& two = add_router("127.0.0.9", 64514);
    bgp::PeerConfig first = peer(one);
    bgp::PeerConfig second = peer(two);
    first.name = "one";
    first.passive = true;
    second.name = "two";
    second.passive = true;
    second.remote_as.asn = 64514;
    node.driver->set_peers({first, second});

    two.call("127.0.0.1", node.driver->listen_port());

    ASSERT_TRUE(run_until([&] { return node.established("two"); }));
    EXPECT_FALSE(node.established("one"));
    one.call("127.0.0.1", node.driver->listen_port());
    EXPECT_TRUE(run_until([&] { return node.established("one"); }));
    EXPECT_TRUE(node.established("two"));
}

TEST_F(BgpDriverTest, TwoPeersBehindOneAddressAreDialledAtTheirPorts) {
    BgpNode& node = add_node();
    TestRouter& one = add_router("127.0.0.9", 64513);
    TestRouter& two = add_router("127.0.0.9", 64514);
    bgp::PeerConfig first = peer(one);
    bgp::PeerConfig second = peer(two);
    first.name = "one";
    second.name = "two";
    second.remote_as.asn = 64514;
    node.driver->set_peers({first, second});

    EXPECT_TRUE(run_until([&] { return node.established("one") && node.established("two"); }));
}

TEST_F(BgpDriverTest, TwoDriversThatDialEachOtherEndWithOneSession) {
    BgpNode& a = add_node();
    BgpNode& b = add_node();
    bgp::PeerConfig to_b = peer("b", "127.0.0.2");
    bgp::PeerConfig to_a = peer("a", "127.0.0.1");
    to_b.source = ip("127.0.0.1");
    to_a.source = ip("127.0.0.2");
    to_a.local_asn = 64513;
    to_a.remote_as.asn = 64512;
    to_a.router_id = 0x7f000002;
    // Listeners first, for their ports.
    to_b.passive = to_a.passive = true;
    a.driver->set_peers({to_b});
    b.driver->set_peers({to_a});
    to_b.port = b.driver->listen_port();
    to_a.port = a.driver->listen_port();
    to_b.passive = to_a.passive = false;
    a.driver->set_peers({to_b});
    b.driver->set_peers({to_a});

    ASSERT_TRUE(run_until([&] { return a.established("b") && b.established("a"); }));
    a.driver->apply(announce("192.0.2.1"), 1);
    EXPECT_TRUE(run_until([&] { return b.driver->status()->front().counters.v4.announced == 1; }));
    EXPECT_EQ(a.peer("b").flaps, 0U);
    EXPECT_EQ(b.peer("a").flaps, 0U);
}

TEST_F(BgpDriverTest, SessionsRunOverIPv6) {
    asio::ip::tcp::acceptor probe(ioc_, asio::ip::tcp::v6());
    boost::system::error_code ec;
    probe.bind({asio::ip::address_v6::loopback(), 0}, ec);
    if (ec) {
        GTEST_SKIP() << "no IPv6 loopback here";
    }
    node_ = &add_node();
    router_ = &add_router("::1");
    router_->open.capabilities.v6_unicast = true;
    bgp::PeerConfig config = peer(*router_);
    config.address = ip("::1");
    config.v6 = true;
    node_->driver->set_peers({config});
    node_->driver->apply(announce("2001:db8::1"), 1);

    ASSERT_TRUE(announced(1));
    const auto updates = router_->updates();
    const auto route = std::find_if(updates.begin(), updates.end(), [](const auto& update) {
        return !update.announced.empty();
    });
    EXPECT_EQ(route->attributes.next_hop, ip("::1"));
    ASSERT_TRUE(run_until([&] { return node_->established("tor"); }));
    EXPECT_THAT(node_->peer("tor").unsendable_v4, HasSubstr("no IPv4 next hop"));
    EXPECT_EQ(node_->peer("tor").unsendable_v6, "");
}

TEST_F(BgpDriverTest, ANextHopThatAppearsLaterMakesItsFamilySendable) {
    node_ = &add_node();
    router_ = &add_router();
    router_->open.capabilities.v6_unicast = true;
    bgp::PeerConfig config = peer(*router_);
    config.v6 = true;
    node_->driver->set_peers({config});
    bgp_rib::Changes both = announce("192.0.2.1");
    both.upsert.push_back(announce("2001:db8::1").upsert.front());
    node_->driver->apply(both, 1);
    ASSERT_TRUE(run_until([&] { return node_->peer("tor").in_sync; }));
    EXPECT_NE(node_->peer("tor").unsendable_v6, "");

    net::Interface lo;
    lo.index = 1;
    lo.name = "lo";
    lo.up = true;
    lo.addresses = {
        {node_->peer("tor").local.address, prefix("127.0.0.0/8")},
        {ip("2001:db8:1::5"), prefix("2001:db8:1::/64")}};
    node_->driver->set_interfaces({lo});

    ASSERT_TRUE(run_until([&] { return node_->peer("tor").prefixes_v6 == 1; }));
    EXPECT_EQ(node_->peer("tor").unsendable_v6, "");
    lo.addresses.pop_back();
    node_->driver->set_interfaces({lo});
    ASSERT_TRUE(run_until([&] { return node_->peer("tor").prefixes_v6 == 0; }));
    EXPECT_NE(node_->peer("tor").unsendable_v6, "");
    EXPECT_EQ(node_->peer("tor").flaps, 0U);
}

TEST_F(BgpDriverTest, ATakenPortIsSaidOnceAndSessionsAreActive) {
    BgpNode& first = add_node();
    first.driver->set_peers({peer("nobody", "127.0.0.33")});
    BgpDriver::Options options = test_options();
    options.listen_on_free_port = false;
    options.listen_port = first.driver->listen_port();
    node_ = &add_node(options);
    router_ = &add_router();

    node_->driver->set_peers({peer(*router_)});

    EXPECT_TRUE(run_until([&] { return node_->established("tor"); }));
    EXPECT_THAT(node_->log.front(), HasSubstr("sessions are active only: Address already in use"));
    EXPECT_EQ(node_->driver->listen_port(), 0);
}

TEST_F(BgpDriverTest, OnlyWhatIdentifiesAPeerResetsItsSession) {
    connect();
    bgp::PeerConfig config = peer(*router_);
    config.connect_time = 9s;
    config.hold_time = 60s;
    node_->driver->set_peers({config});
    run_for(30ms);
    EXPECT_EQ(router_->calls(), 1U);
    EXPECT_FALSE(router_->ended());

    config.router_id = 0x7f000077;
    node_->driver->set_peers({config});

    EXPECT_TRUE(run_until([&] { return router_->calls() == 2; }));
    EXPECT_TRUE(run_until([&] { return node_->established("tor"); }));
}

TEST_F(BgpDriverTest, APeerThatIsRemovedIsToldSo) {
    connect();

    node_->driver->set_peers({});

    ASSERT_TRUE(run_until([&] { return router_->ended(); }));
    EXPECT_THAT(router_->notifications(), ElementsAre(HasSubstr("Peer De")));
    EXPECT_TRUE(run_until([&] { return node_->status->empty(); }));
}

TEST_F(BgpDriverTest, BfdIsAskedForAndItsFailureEndsTheSessionAtOnce) {
    BgpNode& node = add_node();
    TestRouter& router = add_router();
    bgp::PeerConfig config = peer(router);
    config.bfd = true;
    node.driver->set_peers({config});
    ASSERT_TRUE(run_until([&] { return node.established("tor"); }));
    ASSERT_THAT(node.bfd, SizeIs(1));
    EXPECT_EQ(node.bfd[0], (std::vector<BfdWanted>{{"tor", ip("127.0.0.9"), {}, "", "", false}}));
    node.driver->on_bfd("tor", bgp::BfdState::Up);

    node.driver->on_bfd("tor", bgp::BfdState::Down);

    EXPECT_TRUE(run_until([&] { return router.ended(); }));
    EXPECT_THAT(router.notifications(), ElementsAre("Cease/BFD Down"));
    EXPECT_TRUE(run_until([&] { return node.peer("tor").bfd == bgp::BfdState::Down; }));
}

TEST_F(BgpDriverTest, DrainingMarksRoutesThenWithdrawsThemAndKeepsTheSession) {
    connect();
    node_->driver->apply(announce("192.0.2.1", 3), 1);
    ASSERT_TRUE(announced(3));

    node_->driver->set_draining(true);

    ASSERT_TRUE(run_until([&] { return router_->withdrawn().size() == 3; }));
    EXPECT_THAT(router_->updates().at(2).attributes.communities, ElementsAre(0xffff0000U));
    EXPECT_TRUE(run_until([&] { return node_->peer("tor").prefixes_v4 == 0; }));
    EXPECT_TRUE(node_->established("tor"));

    node_->driver->set_draining(false);

    ASSERT_TRUE(announced(9));
    EXPECT_THAT(router_->updates().back().attributes.communities, IsEmpty());
    EXPECT_FALSE(router_->ended());
}

TEST_F(BgpDriverTest, AShutdownMarksWithdrawsAndSaysWhy) {
    connect();
    node_->driver->apply(announce("192.0.2.1", 3), 1);
    ASSERT_TRUE(announced(3));

    run(node_->driver->stop(StopMode::Shutdown, "maintenance"));
    ASSERT_TRUE(run_until([&] { return router_->ended(); }));

    EXPECT_EQ(router_->announced().size(), 6U);
    EXPECT_EQ(router_->withdrawn().size(), 3U);
    EXPECT_THAT(
        router_->notifications(), ElementsAre("Cease/Administrative Shutdown: maintenance")
    );
    node_->driver.reset();
}

TEST_F(BgpDriverTest, ARestartLeavesWithoutAWordWherePeersKeepTheRoutes) {
    node_ = &add_node();
    router_ = &add_router();
    router_->open.capabilities.graceful_restart =
        bgp_wire::GracefulRestart{false, false, 120, {{net::Family::V4, true}}};
    bgp::PeerConfig config = peer(*router_);
    config.graceful_restart = true;
    node_->driver->set_peers({config});
    node_->driver->apply(announce("192.0.2.1", 3), 1);
    ASSERT_TRUE(announced(3));

    run(node_->driver->stop(StopMode::Restart, "update"));
    ASSERT_TRUE(run_until([&] { return router_->ended(); }));

    EXPECT_THAT(router_->withdrawn(), IsEmpty());
    EXPECT_THAT(router_->notifications(), IsEmpty());
    node_->driver.reset();
}

TEST_F(BgpDriverTest, ARestartOfAPeerWithoutGracefulRestartIsAShutdown) {
    connect();
    node_->driver->apply(announce("192.0.2.1", 3), 1);
    ASSERT_TRUE(announced(3));

    run(node_->driver->stop(StopMode::Restart, "update"));
    ASSERT_TRUE(run_until([&] { return router_->ended(); }));

    EXPECT_EQ(router_->withdrawn().size(), 3U);
    EXPECT_THAT(router_->notifications(), SizeIs(1));
    node_->driver.reset();
}

TEST_F(BgpDriverTest, StoppingWithAPeerThatDoesNotReadIsBounded) {
    BgpDriver::Options options = test_options();
    options.send_buffer = 4096;
    node_ = &add_node(options);
    router_ = &add_router();
    router_->receive_buffer = 4096;
    node_->driver->set_peers({peer(*router_)});
    ASSERT_TRUE(run_until([&] { return node_->established("tor"); }));
    router_->reading = false;
    node_->driver->apply(announce("10.0.0.0", 50000), 1);
    const Instant before = std::chrono::steady_clock::now();

    run(node_->driver->stop(StopMode::Shutdown, ""));

    EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
    node_->driver.reset();
}

TEST_F(BgpDriverTest, SingleHopSessionsSendTtlOne) {
    connect();
    int ttl = 0;
    const int fd = router_->socket().native_handle();
    const int on = 1;
    ::setsockopt(fd, IPPROTO_IP, IP_MINTTL, &on, sizeof on);
    socklen_t size = sizeof ttl;
    ::getsockopt(fd, IPPROTO_IP, IP_MINTTL, &ttl, &size);
    EXPECT_EQ(ttl, 1);
    const int two = 2;
    ::setsockopt(fd, IPPROTO_IP, IP_MINTTL, &two, sizeof two);

    node_->driver->apply(announce("192.0.2.1"), 1);
    run_for(100ms);

    EXPECT_THAT(router_->updates(), IsEmpty());
}

}  // namespace
}  // namespace steelyard::io
