#include "speaker/io/bgp/bgp_fixture.hpp"
#include "speaker/io/bgp/tcp_options.hpp"

#include <gmock/gmock.h>

#include <netinet/in.h>
#include <sys/socket.h>

// MD5 signatures and TTL security between two drivers, over loopback of both families.
namespace steelyard::io {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

struct Ends {
    const char* name;
    const char* a;
    const char* b;
};

bool md5_works() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool works = set_password(fd, net::IpAddress::v4(0x7f000001), "x").has_value();
    ::close(fd);
    return works;
}

class BgpSecurityTest : public testing::TestWithParam<Ends>, protected BgpFixture {
protected:
    void SetUp() override {
        asio::ip::tcp::socket probe(ioc_);
        boost::system::error_code ec;
        const auto at = to_asio(net::Endpoint{ip(GetParam().b), 0});
        probe.open(at.protocol());
        probe.bind(at, ec);
        if (ec) {
            GTEST_SKIP() << "no IPv6 loopback here";
        }
        a_ = &add_node();
        b_ = &add_node();
        to_b_ = peer("b", GetParam().b);
        to_b_.source = ip(GetParam().a);
        to_b_.v6 = true;
        to_a_ = peer("a", GetParam().a);
        to_a_.source = ip(GetParam().b);
        to_a_.v6 = true;
        to_a_.local_asn = 64513;
        to_a_.remote_as.asn = 64512;
        to_a_.router_id = 0x7f000002;
        to_a_.passive = true;
    }
    // b listens, a dials.
    void connect() {
        b_->driver->set_peers({to_a_});
        to_b_.port = b_->driver->listen_port();
        a_->driver->set_peers({to_b_});
    }
    bool established() {
        return run_until([&] { return a_->established("b") && b_->established("a"); });
    }
    // Not even a TCP connection comes about.
    bool silent() {
        run_for(400ms);
        return a_->peer("b").state == bgp::State::Connect && !b_->established("a") &&
               b_->peer("a").counters.accepts == 0;
    }

    BgpNode* a_ = nullptr;
    BgpNode* b_ = nullptr;
    bgp::PeerConfig to_a_;
    bgp::PeerConfig to_b_;
};

TEST_P(BgpSecurityTest, TheSamePasswordConnects) {
    if (!md5_works()) {
        GTEST_SKIP() << "this kernel has no TCP MD5";
    }
    to_a_.password = to_b_.password = "secret";
    connect();
    EXPECT_TRUE(established());
}

TEST_P(BgpSecurityTest, AnotherPasswordOrNoneGetsNoAnswer) {
    if (!md5_works()) {
        GTEST_SKIP() << "this kernel has no TCP MD5";
    }
    to_a_.password = "secret";
    to_b_.password = "other";
    connect();
    EXPECT_TRUE(silent());

    to_b_.password = "";
    a_->driver->set_peers({to_b_});
    EXPECT_TRUE(silent());
}

TEST_P(BgpSecurityTest, APasswordIsChangedOnBothSides) {
    if (!md5_works()) {
        GTEST_SKIP() << "this kernel has no TCP MD5";
    }
    to_a_.password = to_b_.password = "secret";
    connect();
    ASSERT_TRUE(established());

    to_a_.password = to_b_.password = "other";
    b_->driver->set_peers({to_a_});
    a_->driver->set_peers({to_b_});

    EXPECT_TRUE(run_until([&] {
        return a_->peer("b").counters.established == 2 && b_->peer("a").counters.established == 2;
    }));
}

TEST_P(BgpSecurityTest, APasswordTooLongForTheKernelIsSaid) {
    to_b_.password = std::string(81, 'x');
    connect();

    ASSERT_TRUE(run_until([&] { return a_->peer("b").trouble.has_value(); }));
    EXPECT_THAT(a_->peer("b").trouble->text, HasSubstr("has 81 bytes: TCP MD5 takes at most 80"));
}

TEST_P(BgpSecurityTest, TtlSecurityOnBothSidesConnects) {
    to_a_.ttl_security_hops = to_b_.ttl_security_hops = 1;
    connect();
    EXPECT_TRUE(established());
}

TEST_P(BgpSecurityTest, TtlSecurityOnTheDiallingSideAloneIsNoObstacleToTheHandshake) {
    to_b_.ttl_security_hops = 1;
    connect();
    // The listener answers with TTL 255; what b then sends has TTL 1 and is dropped.
    EXPECT_TRUE(run_until([&] { return b_->peer("a").counters.accepts == 1; }));
    run_for(100ms);
    EXPECT_FALSE(a_->established("b"));
}

TEST_P(BgpSecurityTest, TtlSecurityDropsWhatWasSentWithTtlOne) {
    to_a_.ttl_security_hops = 1;
    connect();
    EXPECT_TRUE(silent());
}

INSTANTIATE_TEST_SUITE_P(
    Families,
    BgpSecurityTest,
    testing::Values(Ends{"IPv4", "127.0.0.1", "127.0.0.2"}, Ends{"IPv6", "::1", "::1"}),
    [](const auto& ends) { return ends.param.name; }
);

}  // namespace
}  // namespace steelyard::io
