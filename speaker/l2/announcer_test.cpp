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

TEST_F(AnnouncerTest, TakeoverSendsFiveRoundsMoreThanASecondApart) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"2001:db8::10"}), kStart);

    EXPECT_THAT(milliseconds(run(announcer, 60s)), ElementsAre(0, 1100, 2200, 3300, 4400));
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

TEST_F(AnnouncerTest, AnIpv6RoundIsOneOverridingAdvertisement) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"2001:db8::10"}), kStart);

    const auto sent = run(announcer, 0s);

    ASSERT_THAT(sent, SizeIs(1));
    EXPECT_EQ(
        decode_ndp(sent[0].frame.view()),
        unsolicited_advertisement(port(1, "eth0").mac, ip("2001:db8::10"))
    );
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

    ASSERT_THAT(sent, SizeIs(1));
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

    EXPECT_THAT(milliseconds(run(announcer, 30s)), ElementsAre(20000, 21100, 22200, 23300, 24400));
}

TEST_F(AnnouncerTest, AnnouncesOnAllowedPortsOnly) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0"), port(2, "eth1")}, kStart);
    Announcements only;
    only[ip("2001:db8::10")] = {{"eth1"}};
    announcer.set_announcements(std::make_shared<const Announcements>(only), kStart);

    const auto sent = run(announcer, 0s);

    ASSERT_THAT(sent, SizeIs(1));
    EXPECT_EQ(sent[0].interface_index, 2U);
}

TEST_F(AnnouncerTest, ANewMacAndARegainedLinkAnnounceAgain) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"2001:db8::10"}), kStart);
    (void)run(announcer, 10s);

    Port changed = port(1, "eth0");
    changed.mac.bytes[4] = 7;
    announcer.set_ports({changed}, kStart + 10s);
    EXPECT_THAT(run(announcer, 10s), SizeIs(1));

    announcer.on_link_up(1, kStart + 11s);
    EXPECT_THAT(run(announcer, 11s), SizeIs(1));
}

TEST_F(AnnouncerTest, PacesAPortAfterTheBurst) {
    AnnouncerOptions options;
    options.burst = 10;
    options.packets_per_second = 20;
    options.rounds = 1;
    options.refresh_interval = 0s;
    Announcer announcer(options, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    Announcements many;
    for (std::uint64_t i = 0; i < 110; ++i) {
        many[ip("2001:db8::").plus(i)] = {};
    }
    announcer.set_announcements(std::make_shared<const Announcements>(many), kStart);

    const auto sent = run(announcer, 100s);

    ASSERT_THAT(sent, SizeIs(110));
    EXPECT_EQ(sent[9].at, 0s);
    EXPECT_GT(sent[10].at, 0s);
    const double seconds = std::chrono::duration<double>(sent.back().at).count();
    EXPECT_NEAR(seconds, 100.0 / 20.0, 0.05 * 5.0);
}

TEST_F(AnnouncerTest, FirstRoundsGoBeforeLaterOnesWhenTokensAreShort) {
    AnnouncerOptions options;
    options.burst = 2;
    options.packets_per_second = 2;
    Announcer announcer(options, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    Announcements many;
    for (std::uint64_t i = 0; i < 10; ++i) {
        many[ip("2001:db8::").plus(i)] = {};
    }
    announcer.set_announcements(std::make_shared<const Announcements>(many), kStart);

    std::set<net::IpAddress> first;
    for (const Sent& frame : run(announcer, 4s)) {
        first.insert(decode_ndp(frame.frame.view())->target);
    }

    EXPECT_THAT(first, SizeIs(10));
}

TEST_F(AnnouncerTest, ALateTimerSendsEachRoundOnce) {
    Announcer announcer({}, rng_);
    announcer.set_ports({port(1, "eth0")}, kStart);
    announcer.set_announcements(announce({"2001:db8::10"}), kStart);
    Actions out;

    announcer.on_deadline(kStart + 30s, out);

    EXPECT_THAT(out, SizeIs(1));
    EXPECT_EQ(announcer.next_deadline(), kStart + 31100ms);
}

}  // namespace
}  // namespace steelyard::l2
