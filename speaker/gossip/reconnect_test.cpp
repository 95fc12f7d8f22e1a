#include "speaker/gossip/reconnect.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace steelyard::gossip {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

net::Endpoint address_of(std::uint32_t n) {
    return {net::IpAddress::v4(0x0a000000U + n), 7946};
}

Member member(std::uint32_t n, MemberState state) {
    Member out;
    out.name = "node-" + std::to_string(n);
    out.address = address_of(n);
    out.state = state;
    return out;
}

// A table with ourselves, number 1, and the tries that a Reconnect orders as time passes.
class ReconnectTest : public testing::Test {
protected:
    ReconnectTest() { table_.add(member(1, MemberState::Alive)); }

    struct Tries {
        std::vector<net::Endpoint> pings;
        std::vector<net::Endpoint> joins;
    };
    Tries run_for(Duration span) {
        Tries out;
        const Instant end = now_ + span;
        while (reconnect_.next() && *reconnect_.next() <= end) {
            now_ = std::max(now_, *reconnect_.next());
            const auto orders = reconnect_.due(table_, now_, rng_);
            out.joins.insert(out.joins.end(), orders.join.begin(), orders.join.end());
            if (orders.ping) {
                reconnect_.pinged(++seq_, *orders.ping, now_);
                out.pings.push_back(*orders.ping);
            }
        }
        now_ = end;
        return out;
    }
    std::vector<net::Endpoint> addresses(std::uint32_t first, std::uint32_t last) {
        std::vector<net::Endpoint> out;
        for (std::uint32_t n = first; n <= last; ++n) {
            out.push_back(address_of(n));
        }
        return out;
    }

    Instant now_ = Instant() + 1000s;
    Rng rng_{1};
    MemberTable table_;
    std::uint32_t seq_ = 0;
    Reconnect reconnect_{400ms, address_of(1)};
};

TEST_F(ReconnectTest, AloneItJoinsAFewAtOnceAndThenOneAtATime) {
    reconnect_.set_peers(addresses(1, 100), now_);

    const Tries first = run_for(0s);
    const Tries later = run_for(10s);

    EXPECT_EQ(first.joins.size(), 3U);
    EXPECT_THAT(first.pings, IsEmpty());
    EXPECT_NEAR(static_cast<double>(later.joins.size()), 25.0, 4.0);
    EXPECT_EQ(std::count(later.joins.begin(), later.joins.end(), address_of(1)), 0);
}

TEST_F(ReconnectTest, WithCompanyMissingPeersArePingedAndNowAndThenJoined) {
    table_.add(member(2, MemberState::Alive));
    reconnect_.set_peers(addresses(1, 4), now_);

    const Tries tries = run_for(20s);

    EXPECT_NEAR(static_cast<double>(tries.pings.size() + tries.joins.size()), 50.0, 8.0);
    EXPECT_NEAR(static_cast<double>(tries.joins.size()), 6.0, 1.0);
    const std::set<net::Endpoint> asked(tries.pings.begin(), tries.pings.end());
    EXPECT_THAT(asked, ElementsAre(address_of(3), address_of(4)));
}

TEST_F(ReconnectTest, WithNobodyMissingItSleeps) {
    table_.add(member(2, MemberState::Alive));
    table_.add(member(3, MemberState::Left));
    reconnect_.set_peers(addresses(1, 2), now_);

    EXPECT_THAT(run_for(10s).pings, IsEmpty());
    EXPECT_FALSE(reconnect_.next().has_value());
}

TEST_F(ReconnectTest, ADeadMemberIsMissingEvenWhenNoPeerIsConfigured) {
    table_.add(member(2, MemberState::Alive));
    table_.add(member(3, MemberState::Dead));
    reconnect_.members_changed(now_, rng_);

    EXPECT_EQ(run_for(1s).pings.front(), address_of(3));
}

TEST_F(ReconnectTest, WhoAnswersIsJoinedOnce) {
    table_.add(member(2, MemberState::Alive));
    reconnect_.set_peers({address_of(3)}, now_);
    EXPECT_THAT(run_for(0s).pings, ElementsAre(address_of(3)));

    EXPECT_TRUE(reconnect_.on_ack(1, 2, now_, rng_));
    EXPECT_FALSE(reconnect_.on_ack(1, 2, now_, rng_));
    EXPECT_FALSE(reconnect_.on_ack(99, 2, now_, rng_));

    EXPECT_THAT(run_for(0s).joins, ElementsAre(address_of(3)));
}

TEST_F(ReconnectTest, WhoIsBackBeforeItsTurnIsNotJoined) {
    table_.add(member(2, MemberState::Alive));
    reconnect_.set_peers({address_of(3)}, now_);
    (void)run_for(0s);
    (void)reconnect_.on_ack(1, 5000, now_, rng_);  // a large cluster waits before it joins

    table_.add(member(3, MemberState::Alive));

    EXPECT_THAT(run_for(30s).joins, IsEmpty());
}

TEST_F(ReconnectTest, InAClusterOfThousandsOneMissingMemberIsTriedRarely) {
    for (std::uint32_t n = 2; n <= 5000; ++n) {
        table_.add(member(n, MemberState::Alive));
    }
    reconnect_.set_peers({address_of(6000)}, now_);

    const Tries tries = run_for(200s);

    // 4 ms times 5000 between tries: 250 a second of all members together.
    EXPECT_NEAR(static_cast<double>(tries.pings.size() + tries.joins.size()), 10.0, 3.0);
}

// They all hear of it at about the same time.
TEST_F(ReconnectTest, ThousandsThatMissTheSameMemberDoNotAllTryItAtOnce) {
    for (std::uint32_t n = 2; n <= 2000; ++n) {
        table_.add(member(n, n == 2 ? MemberState::Suspect : MemberState::Alive));
    }
    std::size_t pings = 0;
    for (int node = 0; node < 100; ++node) {
        reconnect_.stop();
        reconnect_.members_changed(now_, rng_);
        pings += run_for(1s).pings.size();
    }
    // 100 of 2000 members, and 250 tries a second of all members together.
    EXPECT_GT(pings, 0U);
    EXPECT_LT(pings, 25U);
}

TEST_F(ReconnectTest, StoppedItDoesNothing) {
    reconnect_.set_peers(addresses(2, 9), now_);

    reconnect_.stop();

    EXPECT_THAT(run_for(10s).joins, IsEmpty());
}

}  // namespace
}  // namespace steelyard::gossip
