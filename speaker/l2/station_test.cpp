#include "speaker/l2/station.hpp"

#include "speaker/l2/arp.hpp"
#include "speaker/l2/ndp.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace steelyard::l2 {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;

net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

const net::MacAddress kOther{{2, 0, 0, 0, 0, 1}};
const net::MacAddress kOurs{{2, 0, 0, 0, 0, 0xaa}};
const net::MacAddress kOurs2{{2, 0, 0, 0, 0, 0xbb}};
const Instant kStart = Instant{} + 1h;
const net::IpAddress kAddress = ip("192.0.2.10");
const net::IpAddress kAddress6 = ip("2001:db8::10");

Frame request(const net::IpAddress& target) {
    ArpPacket packet = arp_probe(kOther, target);
    packet.sender_ip = ip("192.0.2.1");
    return encode_arp(packet);
}

Frame claim(const net::IpAddress& address) {
    if (address.is_v4()) {
        return encode_arp(gratuitous_arp(ArpOperation::Request, kOther, address));
    }
    return encode_ndp(unsolicited_advertisement(kOther, address, all_nodes()));
}

class StationTest : public testing::Test {
protected:
    StationTest() {
        station_.set_ports(
            {{1, "eth0", kOurs, true, true}, {2, "eth1", kOurs2, true, true}}, kStart
        );
    }

    void set(Announcements announcements, Instant now) {
        station_.set_announcements(
            std::make_shared<const Announcements>(std::move(announcements)), now
        );
    }
    void own(Instant now) { set({{kAddress, {{"eth0"}}}, {kAddress6, {{"eth0"}}}}, now); }
    void relieve(const std::string& node, Instant now) {
        Announcements all{{kAddress, {{"eth0"}}}, {kAddress6, {{"eth0"}}}};
        for (auto& [address, announcement] : all) {
            announcement.relieves = node;
        }
        set(std::move(all), now);
    }
    void yield(Instant now) {
        Announcements all{{kAddress, {{"eth0"}}}, {kAddress6, {{"eth0"}}}};
        for (auto& [address, announcement] : all) {
            announcement.role = Role::Yield;
        }
        set(std::move(all), now);
    }

    Actions receive(const Frame& frame, Instant now, unsigned interface_index = 1) {
        Actions out;
        station_.on_frame(interface_index, frame.view(), now, out);
        return out;
    }
    bool answers(const net::IpAddress& address, Instant now, unsigned interface_index = 1) {
        return receive(request(address), now, interface_index).size() == 1;
    }
    // Runs the schedule up to then.
    void settle(Instant until) {
        for (auto next = station_.next_deadline(); next && *next <= until;
             next = station_.next_deadline()) {
            (void)due(*next);
        }
    }
    Actions judged(const Frame& frame, Instant now) {
        EXPECT_THAT(receive(frame, now), IsEmpty());
        EXPECT_THAT(due(now + 999ms), IsEmpty());
        return due(now + 1s);
    }
    Actions due(Instant now) {
        Actions out;
        station_.on_deadline(now, out);
        return out;
    }

    Rng rng_{1};
    Station station_{{}, rng_};
};

TEST_F(StationTest, AForeignClaimIsDefendedAndReportedAtMostEveryTenSeconds) {
    own(kStart);
    settle(kStart + 1min);
    Instant later = kStart + 1min;

    for (const net::IpAddress& address : {kAddress, kAddress6}) {
        const Actions out = judged(claim(address), later);
        ASSERT_THAT(out, SizeIs(2));
        const auto& defence = std::get<Send>(out[0]).frame;
        if (address.is_v4()) {
            EXPECT_EQ(
                decode_arp(defence.view()), gratuitous_arp(ArpOperation::Request, kOurs, kAddress)
            );
        } else {
            EXPECT_EQ(
                decode_ndp(defence.view()), unsolicited_advertisement(kOurs, kAddress6, all_nodes())
            );
        }
        EXPECT_EQ(std::get<Conflict>(out[1]), (Conflict{1, address, kOther, true}));

        EXPECT_THAT(judged(claim(address), later + 9s), IsEmpty());
        EXPECT_THAT(judged(claim(address), later + 10s), SizeIs(2));
        later += 20s;
    }
}

TEST_F(StationTest, AnyArpPacketFromOurAddressIsAClaim) {
    own(kStart);
    settle(kStart + 1min);
    ArpPacket packet = arp_probe(kOther, ip("192.0.2.1"));
    packet.sender_ip = kAddress;

    EXPECT_THAT(judged(encode_arp(packet), kStart + 1min), SizeIs(2));
}

TEST_F(StationTest, AClaimByTheNewOwnerWhoKnewBeforeUsIsNoConflict) {
    own(kStart);
    settle(kStart + 1min);
    EXPECT_THAT(receive(claim(kAddress), kStart + 1min), IsEmpty());
    EXPECT_TRUE(answers(kAddress, kStart + 1min));

    yield(kStart + 1min + 300ms);

    EXPECT_FALSE(answers(kAddress, kStart + 1min + 300ms)) << "the new owner was heard already";
    EXPECT_EQ(station_.ownership().yielding(), 1U) << "the other address";
    EXPECT_THAT(due(kStart + 1min + 1s), IsEmpty());
}

TEST_F(StationTest, AnOldClaimDoesNotEndAYield) {
    own(kStart);
    settle(kStart + 1min);
    EXPECT_THAT(judged(claim(kAddress), kStart + 1min), SizeIs(2));

    yield(kStart + 1min + 2s);

    EXPECT_TRUE(answers(kAddress, kStart + 1min + 2s));
}

TEST_F(StationTest, ADefenceThePaceForbidsIsNotSentButReported) {
    Announcements many;
    for (std::uint64_t i = 0; i < 100; ++i) {
        many[kAddress.plus(i)] = {{"eth0"}};
    }
    set(std::move(many), kStart);
    const Instant later = kStart + 5s;
    settle(later);
    EXPECT_THAT(receive(claim(kAddress), later), IsEmpty());
    settle(later + 900ms);

    Actions out;
    for (auto next = station_.next_deadline(); next && *next <= later + 1s;
         next = station_.next_deadline()) {
        station_.on_deadline(*next, out);
    }

    ASSERT_FALSE(out.empty());
    const bool reported = std::any_of(out.begin(), out.end(), [](const Action& action) {
        const auto* conflict = std::get_if<Conflict>(&action);
        return conflict != nullptr && *conflict == Conflict{1, kAddress, kOther, false};
    });
    EXPECT_TRUE(reported);
}

TEST_F(StationTest, ClaimsOfManyAddressesFloodNeitherTheLinkNorTheListener) {
    Announcements many;
    for (std::uint64_t i = 0; i < 200; ++i) {
        many[kAddress.plus(i)] = {{"eth0"}};
    }
    set(std::move(many), kStart);
    const Instant later = kStart + 10min;
    for (std::uint64_t i = 0; i < 200; ++i) {
        EXPECT_THAT(receive(claim(kAddress.plus(i)), later), IsEmpty());
    }

    EXPECT_LE(due(later + 1s).size(), 25U);
}

TEST_F(StationTest, AClaimChangesNothingWeOwn) {
    own(kStart);
    (void)receive(claim(kAddress), kStart + 1min);

    EXPECT_TRUE(answers(kAddress, kStart + 1min));
}

TEST_F(StationTest, TheOldOwnersClaimsAfterATakeoverAreNoConflict) {
    own(kStart);
    (void)due(kStart);

    EXPECT_THAT(receive(claim(kAddress), kStart + 1999ms), IsEmpty());
    EXPECT_THAT(due(kStart + 2s), testing::Not(IsEmpty())) << "the next round answers it";
    settle(kStart + 1min);
    EXPECT_THAT(due(kStart + 1min), IsEmpty());
    EXPECT_THAT(judged(claim(kAddress), kStart + 1min), SizeIs(2));
}

TEST_F(StationTest, AYieldedAddressIsAnsweredUntilItsNewOwnerIsHeard) {
    own(kStart);
    yield(kStart + 1min);
    EXPECT_EQ(station_.ownership().yielding(), 2U);
    EXPECT_TRUE(answers(kAddress, kStart + 1min));

    EXPECT_THAT(receive(claim(kAddress), kStart + 1min), IsEmpty());
    EXPECT_THAT(receive(claim(kAddress6), kStart + 1min), IsEmpty());

    EXPECT_FALSE(answers(kAddress, kStart + 1min));
    EXPECT_EQ(station_.ownership().yielding(), 0U);
}

TEST_F(StationTest, AYieldEndsAfterTwoSeconds) {
    own(kStart);
    yield(kStart + 1min);
    EXPECT_EQ(station_.next_deadline(), kStart + 1min + 2s);
    yield(kStart + 1min + 1s);  // the same again does not prolong it

    EXPECT_THAT(due(kStart + 1min + 1999ms), IsEmpty());
    EXPECT_TRUE(answers(kAddress, kStart + 1min + 1999ms));
    EXPECT_THAT(due(kStart + 1min + 2s), IsEmpty());

    EXPECT_FALSE(answers(kAddress, kStart + 1min + 2s));
    yield(kStart + 1min + 3s);
    EXPECT_EQ(station_.ownership().yielding(), 0U) << "it does not begin again";
}

TEST_F(StationTest, AYieldIsOnlyForWhatWasAnnounced) {
    yield(kStart);

    EXPECT_FALSE(answers(kAddress, kStart));
    EXPECT_EQ(station_.ownership().yielding(), 0U);
}

TEST_F(StationTest, AYieldEndsPortByPort) {
    set({{kAddress, {}}}, kStart);
    set({{kAddress, {{}, Role::Yield}}}, kStart + 1min);

    (void)receive(claim(kAddress), kStart + 1min, 1);

    EXPECT_FALSE(answers(kAddress, kStart + 1min, 1));
    EXPECT_TRUE(answers(kAddress, kStart + 1min, 2));
    EXPECT_EQ(station_.ownership().yielding(), 1U);
}

TEST_F(StationTest, AnAddressThatComesBackWhileYieldingIsAnnouncedAgain) {
    own(kStart);
    (void)due(kStart + 1min);
    yield(kStart + 1min);
    EXPECT_THAT(due(kStart + 1min + 1s), IsEmpty());

    own(kStart + 1min + 1s);

    EXPECT_THAT(due(kStart + 1min + 1s), SizeIs(4));
    EXPECT_EQ(station_.ownership().yielding(), 0U);
    EXPECT_THAT(receive(claim(kAddress), kStart + 1min + 2s), IsEmpty()) << "a takeover";
}

TEST_F(StationTest, WhatALiveNodeGivesUpIsAnsweredOnceOurClaimIsOut) {
    relieve("other", kStart);
    EXPECT_THAT(due(kStart), IsEmpty());
    for (const net::IpAddress& address : {kAddress, kAddress6}) {
        EXPECT_FALSE(answers(address, kStart + 249ms)) << to_string(address);
    }

    EXPECT_THAT(due(kStart + 250ms), SizeIs(4));

    EXPECT_TRUE(answers(kAddress, kStart + 250ms));
}

TEST_F(StationTest, WhenTheNodeWeRelieveDiesWeTakeOverAtOnce) {
    relieve("other", kStart);
    (void)due(kStart);

    relieve("", kStart + 10ms);

    EXPECT_TRUE(answers(kAddress, kStart + 10ms));
    EXPECT_THAT(due(kStart + 10ms), SizeIs(4));
}

TEST_F(StationTest, AClaimThatWaitsForThePaceIsNotWaitedForLongerThanTheOldOwnerYields) {
    Announcements many;
    for (unsigned host = 101; host <= 200; ++host) {
        many[ip("192.0.2." + std::to_string(host))] = {{"eth0"}, Role::Announce, false, "other"};
    }
    set(std::move(many), kStart);
    const auto answered = [this](Instant now) {
        int count = 0;
        for (unsigned host = 101; host <= 200; ++host) {
            count += answers(ip("192.0.2." + std::to_string(host)), now) ? 1 : 0;
        }
        return count;
    };

    settle(kStart + 300ms);
    EXPECT_LE(answered(kStart + 300ms), 15);
    settle(kStart + kYieldTime);
    EXPECT_EQ(answered(kStart + kYieldTime), 100);
}

TEST_F(StationTest, AnAddressThatMovesOnBeforeWeClaimedItIsNotYielded) {
    relieve("other", kStart);
    (void)due(kStart);

    yield(kStart + 10ms);

    EXPECT_FALSE(answers(kAddress, kStart + 10ms));
    EXPECT_EQ(station_.ownership().yielding(), 0U);
}

TEST_F(StationTest, AReleasedAddressIsSilentAtOnce) {
    own(kStart);
    set({}, kStart + 1min);

    EXPECT_FALSE(answers(kAddress, kStart + 1min));
    EXPECT_THAT(due(kStart + 1h), IsEmpty());
    EXPECT_EQ(station_.next_deadline(), std::nullopt);
}

TEST_F(StationTest, WithoutALeaseItNeitherAnswersNorAnnounces) {
    station_.set_lease(kStart + 1s, kStart);
    own(kStart);

    EXPECT_TRUE(answers(kAddress, kStart + 999ms));
    EXPECT_FALSE(answers(kAddress, kStart + 1s));
    EXPECT_THAT(receive(claim(kAddress), kStart + 1min), IsEmpty());
    EXPECT_THAT(due(kStart + 1s), IsEmpty());
    EXPECT_EQ(station_.next_deadline(), std::nullopt) << "it waits for a lease, not for time";
    EXPECT_EQ(station_.drops().of(Drop::NoLease), 2U);
}

TEST_F(StationTest, ANewLeaseAfterALapseAnnouncesEverythingAgain) {
    EXPECT_FALSE(station_.set_lease(kStart + 10s, kStart));
    own(kStart);
    (void)due(kStart);
    (void)due(kStart + 3s);
    (void)due(kStart + 6s);
    EXPECT_FALSE(station_.set_lease(kStart + 20s, kStart + 9s)) << "it did not lapse";
    EXPECT_THAT(due(kStart + 10s), IsEmpty());

    EXPECT_TRUE(station_.set_lease(kStart + 40s, kStart + 30s));

    EXPECT_THAT(due(kStart + 30s), SizeIs(4));
    EXPECT_THAT(receive(claim(kAddress), kStart + 31s), IsEmpty()) << "a takeover";
}

TEST_F(StationTest, WhatWasLostWithoutALeaseIsNotYielded) {
    own(kStart);
    station_.set_lease(kStart + 10s, kStart);
    yield(kStart + 15s);

    station_.set_lease(kStart + 40s, kStart + 15s);

    EXPECT_FALSE(answers(kAddress, kStart + 15s));
    EXPECT_EQ(station_.ownership().yielding(), 0U);
}

TEST_F(StationTest, ANodeThatLearnsOfItsLossAfterALapseDoesNotYield) {
    own(kStart);
    station_.set_lease(kStart + 10s, kStart);
    station_.set_lease(kStart + 40s, kStart + 15s);
    yield(kStart + 15s + 100ms);

    EXPECT_FALSE(answers(kAddress, kStart + 15s + 100ms));

    own(kStart + 20s);
    yield(kStart + 30s);
    EXPECT_TRUE(answers(kAddress, kStart + 30s)) << "that was long ago";
}

TEST_F(StationTest, ALapseEndsAYield) {
    own(kStart);
    station_.set_lease(kStart + 10s, kStart);
    yield(kStart + 9500ms);
    station_.set_lease(kStart + 40s, kStart + 10500ms);

    EXPECT_FALSE(answers(kAddress, kStart + 10500ms));
}

TEST_F(StationTest, AHealedPartitionAnnouncesEverythingAgain) {
    own(kStart);
    (void)due(kStart);
    (void)due(kStart + 3s);
    (void)due(kStart + 6s);

    station_.announce_all_again(kStart + 10s);

    EXPECT_THAT(due(kStart + 10s), SizeIs(4));
}

TEST_F(StationTest, CountsWhatItDropsByReason) {
    own(kStart);
    const auto count = [this](const Frame& frame, unsigned interface_index = 1) {
        EXPECT_THAT(receive(frame, kStart + 1s, interface_index), IsEmpty());
    };
    Frame vlan = request(kAddress);
    vlan.patch_u16(12, kEtherTypeVlan);
    Frame malformed = request(kAddress);
    malformed.patch_u16(18, 0x0608);
    Frame checksum = claim(kAddress6);
    checksum.patch_u16(56, 1);
    ArpPacket spoofed = arp_probe(net::MacAddress::broadcast(), kAddress);
    Actions out;

    count(vlan);
    count(malformed);
    count(checksum);
    count(encode_arp(spoofed));
    count(request(ip("192.0.2.99")));
    count(request(kAddress), 9);
    count(encode_arp(gratuitous_arp(ArpOperation::Reply, kOurs2, kAddress)));
    station_.on_frame(1, request(kAddress).view().first(30), kStart, out);
    station_.on_frame(1, request(kAddress).view().first(5), kStart, out);

    const DropCounters& drops = station_.drops();
    EXPECT_THAT(out, IsEmpty());
    EXPECT_EQ(drops.of(Drop::Vlan), 1U);
    EXPECT_EQ(drops.of(Drop::Malformed), 1U);
    EXPECT_EQ(drops.of(Drop::Checksum), 1U);
    EXPECT_EQ(drops.of(Drop::Spoofed), 1U);
    EXPECT_EQ(drops.of(Drop::NotAnnounced), 1U);
    EXPECT_EQ(drops.of(Drop::NotForUs), 1U);
    EXPECT_EQ(drops.of(Drop::Own), 1U);
    EXPECT_EQ(drops.of(Drop::Truncated), 2U);
    EXPECT_EQ(drops.total(), 9U);
}

TEST_F(StationTest, EveryReasonHasItsOwnName) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < kDropReasons; ++i) {
        names.insert(to_string(static_cast<Drop>(i)));
    }
    EXPECT_THAT(names, SizeIs(kDropReasons));
    EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace steelyard::l2
