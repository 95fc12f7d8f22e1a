#include "speaker/l2/announcer.hpp"

#include "speaker/l2/arp.hpp"
#include "speaker/l2/ndp.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace steelyard::l2 {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const Instant kStart{};

net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

Port port(unsigned index, std::string name) {
    return {
        index, std::move(name), {{2, 0, 0, 0, 0, static_cast<std::uint8_t>(index)}}, true, true};
}

std::shared_ptr<const Announcements> announce(std::initializer_list<const char*> addresses) {
    Announcements out;
    for (const char* address : addresses) {
        out[ip(address)] = {};
    }
    return std::make_shared<const Announcements>(std::move(out));
}

class AnnouncerTest : public testing::Test {
protected:
    struct Sent {
        Duration at{};
        unsigned interface_index = 0;
        Frame frame;
    };

    // Runs the schedule up to and including `until`, at its own deadlines only.
    std::vector<Sent> run(Announcer& announcer, Duration until) {
        std::vector<Sent> sent;
        for (;;) {
            const auto deadline = announcer.next_deadline();
            if (!deadline || *deadline > kStart + until) {
                return sent;
            }
            Actions out;
            announcer.on_deadline(std::max(*deadline, now_), out);
            now_ = std::max(*deadline, now_);
            for (const Action& action : out) {
                const Send& send = std::get<Send>(action);
                sent.push_back({now_ - kStart, send.interface_index, send.frame});
            }
        }
    }

    static std::vector<int> milliseconds(const std::vector<Sent>& sent) {
        std::vector<int> out;
        for (const Sent& frame : sent) {
            const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(frame.at);
            out.push_back(static_cast<int>(at.count()));
        }
        return out;
    }

    Rng rng_{1};
    Instant now_ = kStart;
};

TEST_F(AnnouncerTest, TakeoverSendsThreeRoundsMoreThanASecondApart) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"2001:db8::10"}), kStart);

    EXPECT_THAT(milliseconds(run(announcer, 60s)), ElementsAre(0, 0, 1100, 1100, 2200, 2200));
}

TEST_F(AnnouncerTest, AnIpv4RoundIsARequestAndAReply) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"192.0.2.10"}), kStart);

    const auto sent = run(announcer, 0s);

    ASSERT_THAT(sent, SizeIs(2));
    const net::MacAddress mac = port(1, "eth0").mac;
    EXPECT_EQ(
        decode_arp(sent[0].frame.view()),
        gratuitous_arp(ArpOperation::Request, mac, ip("192.0.2.10"))
    );
    EXPECT_EQ(
        decode_arp(sent[1].frame.view()), gratuitous_arp(ArpOperation::Reply, mac, ip("192.0.2.10"))
    );
    EXPECT_EQ(announcer.gratuitous_sent().at(ip("192.0.2.10")), 2U);
}

TEST_F(AnnouncerTest, AnIpv6RoundIsAnOverridingAdvertisementToNodesAndOneToRouters) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"2001:db8::10"}), kStart);

    const auto sent = run(announcer, 0s);

    ASSERT_THAT(sent, SizeIs(2));
    const net::MacAddress mac = port(1, "eth0").mac;
    for (const bool second : {false, true}) {
        EXPECT_EQ(
            decode_ndp(sent[second ? 1 : 0].frame.view()),
            unsolicited_advertisement(mac, ip("2001:db8::10"), second ? all_routers() : all_nodes())
        );
    }
}

TEST_F(AnnouncerTest, RefreshesWithJitterEverAfter) {
    AnnouncerOptions options;
    options.refresh_interval = 100s;
    Announcer announcer(options, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"192.0.2.10"}), kStart);
    (void)run(announcer, 5s);

    const auto times = milliseconds(run(announcer, 1000s));

    ASSERT_GE(times.size(), 8U);
    for (std::size_t i = 1; i < times.size(); ++i) {
        EXPECT_GE(times[i] - times[i - 1], 80'000);
        EXPECT_LE(times[i] - times[i - 1], 120'000);
    }
}

TEST_F(AnnouncerTest, ZeroRefreshIntervalEndsAfterTheTakeover) {
    AnnouncerOptions options;
    options.refresh_interval = 0s;
    Announcer announcer(options, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"192.0.2.10"}), kStart);
    (void)run(announcer, 5s);

    EXPECT_EQ(announcer.next_deadline(), std::nullopt);
}

TEST_F(AnnouncerTest, IsSilentAboutAReleasedAddress) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"192.0.2.10"}), kStart);
    (void)run(announcer, 1s);

    announcer.set_announcements(announce({}), kStart + 1s);

    EXPECT_THAT(run(announcer, 1000s), IsEmpty());
    EXPECT_THAT(announcer.gratuitous_sent(), IsEmpty());
}

TEST_F(AnnouncerTest, KeepsTheScheduleOfWhatStays) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"2001:db8::10"}), kStart);
    (void)run(announcer, 5s);

    announcer.set_announcements(announce({"2001:db8::10", "2001:db8::11"}), kStart + 5s);
    announcer.set_ports({port(1, "eth0")}, kStart + 5s);
    const auto sent = run(announcer, 5s);

    ASSERT_THAT(sent, SizeIs(2));
    EXPECT_EQ(decode_ndp(sent[0].frame.view())->target, ip("2001:db8::11"));
}

TEST_F(AnnouncerTest, TakingOverAgainStartsAfresh) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"2001:db8::10"}), kStart);
    (void)run(announcer, 10s);
    announcer.set_announcements(announce({}), kStart + 10s);
    now_ = kStart + 20s;

    announcer.set_announcements(announce({"2001:db8::10"}), now_);

    EXPECT_THAT(
        milliseconds(run(announcer, 30s)), ElementsAre(20000, 20000, 21100, 21100, 22200, 22200)
    );
}

TEST_F(AnnouncerTest, AnnouncesOnAllowedPortsOnly) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0"), port(2, "eth1")}, kStart);
    Announcements only;
    only[ip("2001:db8::10")] = {{"eth1"}};
    announcer.set_announcements(std::make_shared<const Announcements>(only), kStart);

    const auto sent = run(announcer, 0s);

    ASSERT_THAT(sent, SizeIs(2));
    EXPECT_EQ(sent[0].interface_index, 2U);
    EXPECT_EQ(sent[1].interface_index, 2U);
}

TEST_F(AnnouncerTest, ANewMacAndARegainedLinkAnnounceAgain) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"2001:db8::10"}), kStart);
    (void)run(announcer, 10s);

    Port changed = port(1, "eth0");
    changed.mac.bytes[4] = 7;
    announcer.set_ports({changed}, kStart + 10s);
    EXPECT_THAT(run(announcer, 10s), SizeIs(2));

    announcer.announce_again(1, kStart + 11s);
    EXPECT_THAT(run(announcer, 11s), SizeIs(2));
}

std::shared_ptr<const Announcements> many(std::uint64_t count) {
    Announcements out;
    for (std::uint64_t i = 0; i < count; ++i) {
        out[ip("2001:db8::").plus(i)] = {};
    }
    return std::make_shared<const Announcements>(std::move(out));
}

// What a switch with Dynamic ARP Inspection measures.
TEST_F(AnnouncerTest, NoSecondHoldsMorePacketsThanThePace) {
    AnnouncerOptions options;
    options.refresh_interval = 20s;
    Announcer announcer(options, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(many(100), kStart);

    std::vector<Sent> sent = run(announcer, 60s);
    announcer.announce_again(1, kStart + 60s);
    announcer.set_announcements(many(120), kStart + 61s);
    now_ = kStart + 61s;
    for (const Sent& frame : run(announcer, 90s)) {
        sent.push_back(frame);
    }

    ASSERT_GT(sent.size(), 1000U);
    for (std::size_t i = 15; i < sent.size(); ++i) {
        EXPECT_GT(sent[i].at - sent[i - 15].at, 1s) << i;
    }
}

TEST_F(AnnouncerTest, AFewAddressesAreAnnouncedAtOnceAndManyAtThePace) {
    for (const unsigned pace : {15U, 100U, 1000U}) {
        AnnouncerOptions options;
        options.packets_per_second = pace;
        options.rounds = 1;
        options.refresh_interval = 0s;
        Announcer announcer(options, rng_);
        now_ = kStart;
        announcer.set_ports({port(1, "eth0")}, kStart);
        announcer.set_announcements(many(1000), kStart);

        const auto sent = run(announcer, 1000s);

        ASSERT_THAT(sent, SizeIs(2000));
        EXPECT_EQ(sent[14].at, 0s);
        EXPECT_GT(sent[64].at, 0s);
        const double seconds = std::chrono::duration<double>(sent.back().at).count();
        EXPECT_NEAR(seconds, 2000.0 / pace, 0.05 * 2000.0 / pace) << pace;
    }
}

TEST_F(AnnouncerTest, EveryAddressHasItsFirstPacketBeforeAnyHasItsSecond) {
    AnnouncerOptions options;
    options.packets_per_second = 2;
    Announcer announcer(options, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(many(10), kStart);

    std::set<net::IpAddress> first;
    for (const Sent& frame : run(announcer, 4900ms)) {
        first.insert(decode_ndp(frame.frame.view())->target);
    }

    EXPECT_THAT(first, SizeIs(10));
}

TEST_F(AnnouncerTest, WhatSomebodyAskedForGoesToTheFront) {
    AnnouncerOptions options;
    options.packets_per_second = 2;
    Announcer announcer(options, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(many(100), kStart);
    (void)run(announcer, 0s);

    announcer.on_asked(1, ip("2001:db8::32"), kStart + 100ms);
    announcer.on_asked(1, ip("2001:db8::31"), kStart + 200ms);
    announcer.on_asked(1, ip("2001:db8::dead"), kStart + 200ms);
    announcer.on_asked(7, ip("2001:db8::20"), kStart + 200ms);
    const auto sent = run(announcer, 1500ms);

    ASSERT_THAT(sent, SizeIs(2));
    EXPECT_EQ(decode_ndp(sent[0].frame.view())->target, ip("2001:db8::31"));
    EXPECT_EQ(decode_ndp(sent[1].frame.view())->target, ip("2001:db8::32"));
}

TEST_F(AnnouncerTest, ATakeoverGoesBeforeARefreshThatWaits) {
    AnnouncerOptions options;
    options.packets_per_second = 2;
    options.rounds = 1;
    options.refresh_interval = 1s;
    Announcer announcer(options, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(many(50), kStart);
    (void)run(announcer, 60s);

    announcer.set_announcements(many(51), kStart + 60s);
    const auto sent = run(announcer, 62s);

    ASSERT_GE(sent.size(), 2U);
    EXPECT_EQ(decode_ndp(sent[0].frame.view())->target, ip("2001:db8::32"));
}

// A node dies shortly after a partition healed: its addresses do not wait for all the others.
TEST_F(AnnouncerTest, ATakeoverGoesBeforeWhatIsAnnouncedAgain) {
    AnnouncerOptions options;
    options.packets_per_second = 2;
    options.rounds = 1;
    Announcer announcer(options, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(many(50), kStart);
    (void)run(announcer, 60s);

    announcer.announce_all_again(kStart + 60s);
    announcer.set_announcements(many(51), kStart + 60s);
    const auto sent = run(announcer, 62s);

    ASSERT_GE(sent.size(), 1U);
    EXPECT_EQ(decode_ndp(sent[0].frame.view())->target, ip("2001:db8::32"));
}

TEST_F(AnnouncerTest, AnnouncingAgainAndAgainStillReachesEveryAddress) {
    AnnouncerOptions options;
    options.packets_per_second = 2;
    Announcer announcer(options, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(many(20), kStart);

    std::set<net::IpAddress> first;
    for (std::chrono::seconds at{2}; at < 14s; at += 2s) {
        announcer.announce_all_again(kStart + at);
        for (const Sent& frame : run(announcer, at)) {
            first.insert(decode_ndp(frame.frame.view())->target);
        }
    }

    EXPECT_THAT(first, SizeIs(20));
}

TEST_F(AnnouncerTest, DefendsWithOnePacketUnlessThePaceForbidsIt) {
    AnnouncerOptions options;
    options.packets_per_second = 3;
    Announcer announcer(options, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"192.0.2.10"}), kStart);
    (void)run(announcer, 0s);
    Actions out;

    EXPECT_TRUE(announcer.defend(1, ip("192.0.2.10"), kStart, out));
    EXPECT_FALSE(announcer.defend(1, ip("192.0.2.10"), kStart, out));
    EXPECT_FALSE(announcer.defend(2, ip("192.0.2.10"), kStart, out));

    ASSERT_THAT(out, SizeIs(1));
    EXPECT_EQ(
        decode_arp(std::get<Send>(out[0]).frame.view()),
        gratuitous_arp(ArpOperation::Request, port(1, "eth0").mac, ip("192.0.2.10"))
    );
}

TEST_F(AnnouncerTest, IsSilentAboutAYieldedAddress) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"192.0.2.10"}), kStart);
    (void)run(announcer, 0s);

    Announcements yielded;
    yielded[ip("192.0.2.10")].role = Role::Yield;
    announcer.set_announcements(std::make_shared<const Announcements>(yielded), kStart);

    EXPECT_THAT(run(announcer, 1000s), IsEmpty());
}

TEST_F(AnnouncerTest, ALateTimerSendsEachRoundOnce) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"2001:db8::10"}), kStart);
    Actions out;

    announcer.on_deadline(kStart + 30s, out);

    EXPECT_THAT(out, SizeIs(2));
    EXPECT_EQ(announcer.next_deadline(), kStart + 31100ms);
}

}  // namespace
}  // namespace steelyard::l2
