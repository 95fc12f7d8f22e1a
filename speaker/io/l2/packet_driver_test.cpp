#include "speaker/io/l2/packet_driver.hpp"

#include "speaker/io/l2/driver_fixture.hpp"

#include <gmock/gmock.h>

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

// The driver against a real kernel's neighbour resolution on a veth.
namespace steelyard::io_l2 {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// Gives up the effective capability, as a pod without it would run, and takes it back.
class WithoutNetRaw {
public:
    WithoutNetRaw() { set(false); }
    ~WithoutNetRaw() { set(true); }
    WithoutNetRaw(const WithoutNetRaw&) = delete;
    WithoutNetRaw& operator=(const WithoutNetRaw&) = delete;

private:
    static void set(bool effective) {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct sets[2]{};
        ASSERT_EQ(::syscall(SYS_capget, &header, sets), 0);
        const std::uint32_t bit = 1U << CAP_NET_RAW;
        sets[0].effective = effective ? sets[0].effective | bit : sets[0].effective & ~bit;
        ASSERT_EQ(::syscall(SYS_capset, &header, sets), 0);
    }
};

using PacketDriverTest = DriverFixture;

TEST_F(PacketDriverTest, AKernelResolvesAnAnnouncedIpv4Address) {
    announce({"10.9.0.100"});

    resolve("10.9.0.100");

    EXPECT_TRUE(client_learned("10.9.0.100")) << neighbour("10.9.0.100");
    EXPECT_GE(counters("10.9.0.100").responses_sent, 1U);
}

TEST_F(PacketDriverTest, AKernelResolvesAnAnnouncedIpv6Address) {
    announce({"fd09::100"});

    resolve("fd09::100");

    EXPECT_TRUE(client_learned("fd09::100")) << neighbour("fd09::100");
    EXPECT_GE(counters("fd09::100").responses_sent, 1U);
}

TEST_F(PacketDriverTest, AnswersUnreachabilityProbes) {
    announce({"fd09::100", "10.9.0.100"});
    for (const std::string address : {"fd09::100", "10.9.0.100"}) {
        in_client("ip neigh replace " + address + " lladdr 02:00:00:00:00:aa dev eth0 nud probe");

        EXPECT_TRUE(run_until([&] {
            return neighbour(address).find("REACHABLE") != std::string::npos;
        })) << neighbour(address);
    }
}

TEST_F(PacketDriverTest, AForeignAddressNeitherIsAnsweredNorWakesUs) {
    announce({"10.9.0.100", "fd09::100"});

    resolve("10.9.0.50");
    resolve("fd09::50");
    resolve("10.9.0.100");
    ASSERT_TRUE(client_learned("10.9.0.100"));

    EXPECT_EQ(driver_->frames_received(), counters("10.9.0.100").requests_received);
    EXPECT_THAT(neighbour("10.9.0.50"), Not(HasSubstr("lladdr")));
}

TEST_F(PacketDriverTest, TakeoverCorrectsAStaleNeighbourEntry) {
    for (const std::string address : {"10.9.0.100", "fd09::100"}) {
        in_client(
            "ip neigh replace " + address + " lladdr 02:00:00:00:00:99 dev eth0 nud reachable"
        );
    }

    announce({"10.9.0.100", "fd09::100"});

    EXPECT_TRUE(client_learned("10.9.0.100")) << neighbour("10.9.0.100");
    EXPECT_TRUE(client_learned("fd09::100")) << neighbour("fd09::100");
    EXPECT_GE(counters("10.9.0.100").gratuitous_sent, 2U);
}

TEST_F(PacketDriverTest, AReleasedAddressIsNotAnswered) {
    announce({"10.9.0.100", "10.9.0.101"});
    announce({"10.9.0.101"});

    resolve("10.9.0.100");
    resolve("10.9.0.101");
    ASSERT_TRUE(client_learned("10.9.0.101"));

    EXPECT_THAT(neighbour("10.9.0.100"), Not(HasSubstr("lladdr")));
}

TEST_F(PacketDriverTest, AnInterfaceThatComesBackServesAgain) {
    announce({"10.9.0.100", "fd09::100"});
    driver_->set_interfaces({});
    driver_->set_interfaces({node_interface()});

    resolve("10.9.0.100");
    resolve("fd09::100");

    EXPECT_TRUE(client_learned("10.9.0.100"));
    EXPECT_TRUE(client_learned("fd09::100"));
}

TEST_F(PacketDriverTest, AForeignClaimIsReported) {
    announce({"10.9.0.100"});

    // For two seconds it might be the old owner, who does not know yet.
    const bool reported = run_until([&] {
        client_sends({claim_of("10.9.0.100")});
        return !conflicts_.empty();
    });

    ASSERT_TRUE(reported);
    EXPECT_EQ(to_string(conflicts_[0].claimant), "02:00:00:00:00:01");
    EXPECT_EQ(to_string(conflicts_[0].address), "10.9.0.100");
    EXPECT_TRUE(conflicts_[0].defended);
}

TEST_F(PacketDriverTest, AYieldedAddressIsAnsweredUntilItsNewOwnerIsHeard) {
    announce({"10.9.0.100", "fd09::100"});
    announce({"10.9.0.100", "fd09::100"}, l2::Role::Yield);
    EXPECT_EQ(driver_->yielding(), 2U);
    resolve("10.9.0.100");
    resolve("fd09::100");
    ASSERT_TRUE(client_learned("10.9.0.100"));
    ASSERT_TRUE(client_learned("fd09::100"));

    client_sends({claim_of("10.9.0.100"), claim_of("fd09::100")});

    ASSERT_TRUE(run_until([&] { return yielded_ == 1; }));
    EXPECT_EQ(driver_->yielding(), 0U);
    in_client("ip neigh flush all");
    resolve("10.9.0.100");
    run_for(100ms);
    EXPECT_THAT(neighbour("10.9.0.100"), Not(HasSubstr("lladdr")));
}

TEST_F(PacketDriverTest, AYieldNobodyClaimsEnds) {
    announce({"10.9.0.100"});
    announce({"10.9.0.100"}, l2::Role::Yield);

    EXPECT_TRUE(run_until([&] { return yielded_ == 1; }));
    EXPECT_THAT(conflicts_, IsEmpty());
}

TEST_F(PacketDriverTest, AnExceptionInATaskIsReportedAsFatal) {
    throws_when_yielded_ = true;
    announce({"10.9.0.100"});
    announce({"10.9.0.100"}, l2::Role::Yield);

    EXPECT_TRUE(run_until([&] { return !failures_.empty(); }));
    EXPECT_THAT(
        std::exchange(failures_, {}), testing::ElementsAre(HasSubstr("l2 timer: by the test"))
    );
}

TEST_F(PacketDriverTest, WhatWasAskedWhileItHadNoLeaseIsNeverAnswered) {
    announce({"10.9.0.100", "fd09::100"});
    run_for(50ms);
    driver_->set_lease(std::chrono::steady_clock::now());
    resolve("10.9.0.100");
    resolve("fd09::100");  // they wait in the sockets of a stalled process
    const auto before = counters("10.9.0.100").gratuitous_sent;

    driver_->set_lease(Instant::max());
    EXPECT_GT(counters("10.9.0.100").gratuitous_sent, before) << "it announces again";
    run_for(50ms);

    EXPECT_EQ(counters("10.9.0.100").requests_received, 0U);
    EXPECT_EQ(counters("fd09::100").requests_received, 0U);
    in_client("ip neigh flush all");
    resolve("10.9.0.100");
    EXPECT_TRUE(run_until([&] { return counters("10.9.0.100").responses_sent > 0; }));
}

TEST_F(PacketDriverTest, PingsAreAnsweredWhereWanted) {
    announce({"10.9.0.100", "fd09::100"}, l2::Role::Announce, true);

    for (const std::string size : {"0", "56", "1400"}) {
        for (const std::string address : {"10.9.0.100", "fd09::100"}) {
            EXPECT_THAT(
                client_runs("ping -c 2 -i 0.05 -W 5 -s " + size + " " + address),
                HasSubstr("2 received, 0% packet loss")
            );
        }
    }
    announce({"10.9.0.100", "fd09::100"});
    EXPECT_THAT(client_runs("ping -c 1 -W 1 10.9.0.100"), HasSubstr("0 received"));
}

TEST_F(PacketDriverTest, APingInPiecesIsNotAnswered) {
    announce({"10.9.0.100"}, l2::Role::Announce, true);

    EXPECT_THAT(client_runs("ping -c 1 -W 1 -s 3000 10.9.0.100"), HasSubstr("0 received"));
}

TEST_F(PacketDriverTest, AFrameOfAForeignVlanIsNotAnswered) {
    announce({"10.9.0.100"});
    l2::Frame tagged;
    const l2::Frame plain = request_for("10.9.0.100");
    tagged.bytes(plain.view().first(12));
    tagged.u16(l2::kEtherTypeVlan);
    tagged.u16(5);
    tagged.bytes(plain.view().subspan(12));

    client_sends({tagged});
    run_for(50ms);
    EXPECT_EQ(driver_->frames_received(), 0U);

    client_sends({plain});
    EXPECT_TRUE(run_until([&] { return driver_->frames_received() == 1; }));
}

TEST_F(PacketDriverTest, DrillsOfTheFieldsToolsSucceed) {
    const std::string missing =
        in_client("for tool in arping ndisc6; do command -v $tool >/dev/null || echo $tool; done");
    if (!missing.empty()) {
        GTEST_SKIP() << "missing: " << missing;
    }
    announce({"10.9.0.100", "fd09::100"});

    const std::string arping = client_runs("arping -c 3 -W 0.1 -i eth0 10.9.0.100");
    EXPECT_THAT(arping, testing::ContainsRegex("3 packets received, +0% unanswered \\(0 extra\\)"));
    EXPECT_THAT(arping, HasSubstr("02:00:00:00:00:aa"));
    const std::string ndisc = client_runs("ndisc6 -m -r 1 -w 1000 fd09::100 eth0");
    EXPECT_THAT(ndisc, HasSubstr("02:00:00:00:00:AA"));
    EXPECT_THAT(ndisc, HasSubstr("from fd09::100"));
    // The others on the link may have them.
    EXPECT_THAT(
        client_runs("arping -d -c 2 -W 0.1 -i eth0 10.9.0.100"), HasSubstr(" 0% unanswered")
    );
    EXPECT_THAT(client_runs("arping -c 1 -W 0.1 -i eth0 10.9.0.77"), HasSubstr("100% unanswered"));
}

TEST_F(PacketDriverTest, WithoutCapNetRawItSaysSoOnce) {
    driver_->set_interfaces({});
    net::Interface second = node_interface();
    second.index += 1;
    {
        const WithoutNetRaw scope;
        driver_->set_interfaces({node_interface(), second});
        driver_->set_interfaces({node_interface(), second});
        run_for(500ms);  // it tries again
        driver_->set_interfaces({node_interface()});
    }

    EXPECT_THAT(
        std::exchange(errors_, {}), testing::ElementsAre(HasSubstr("the process lacks CAP_NET_RAW"))
    );

    announce({"10.9.0.100"});
    driver_->set_interfaces({node_interface()});
    resolve("10.9.0.100");
    EXPECT_TRUE(client_learned("10.9.0.100"));
}

TEST_F(PacketDriverTest, JoinsTheSolicitedNodeGroupWithTheKernel) {
    announce({"fd09::12:3456"});
    EXPECT_THAT(in_node("ip -6 maddr show dev eth0"), HasSubstr("ff02::1:ff12:3456"));

    announce({});
    EXPECT_THAT(in_node("ip -6 maddr show dev eth0"), Not(HasSubstr("ff02::1:ff12:3456")));
}

}  // namespace
}  // namespace steelyard::io_l2
