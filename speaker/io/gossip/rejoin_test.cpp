#include "speaker/io/gossip/rejoin.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::io {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

const net::Endpoint kA{net::IpAddress::v4(0x0a000001), 7946};
const net::Endpoint kB{net::IpAddress::v4(0x0a000002), 7946};
const Instant kStart = Instant() + 100s;

TEST(RejoinTest, NewPeersAreJoinedAtOnceMembersNever) {
    Rejoin rejoin(1);
    rejoin.set_peers({kA, kB}, kStart);

    EXPECT_THAT(rejoin.due({kB}, kStart), ElementsAre(kA));
    EXPECT_THAT(rejoin.due({kB}, kStart), IsEmpty());
}

TEST(RejoinTest, TriesGetRarerUpToALimit) {
    Rejoin rejoin(1);
    rejoin.set_peers({kA}, kStart);
    Instant now = kStart;
    int tries = 0;
    while (now < kStart + 10min) {
        tries += static_cast<int>(rejoin.due({}, now).size());
        ASSERT_GT(*rejoin.next(), now);
        ASSERT_LE(*rejoin.next() - now, 38s);
        now = *rejoin.next();
    }
    EXPECT_GT(tries, 15);
    EXPECT_LT(tries, 35);
}

TEST(RejoinTest, AMemberThatGoesIsTriedSoonAgain) {
    Rejoin rejoin(1);
    rejoin.set_peers({kA}, kStart);
    (void)rejoin.due({}, kStart);
    (void)rejoin.due({kA}, kStart + 5s);

    EXPECT_THAT(rejoin.due({}, kStart + 6s), ElementsAre(kA));
}

TEST(RejoinTest, TheSameListAgainKeepsTheBackoff) {
    Rejoin rejoin(1);
    rejoin.set_peers({kA}, kStart);
    (void)rejoin.due({}, kStart);

    rejoin.set_peers({kA, kB}, kStart);

    EXPECT_THAT(rejoin.due({}, kStart), ElementsAre(kB));
    rejoin.set_peers({}, kStart);
    EXPECT_FALSE(rejoin.next().has_value());
}

}  // namespace
}  // namespace steelyard::io
