#include "speaker/l2/echo.hpp"

#include "common/wire/testing.hpp"
#include "speaker/l2/station.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::l2 {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;

using wire::Bytes;
using wire::from_hex;

net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

const net::MacAddress kAsker{{2, 0, 0, 0, 0, 1}};
const net::MacAddress kOurs{{2, 0, 0, 0, 0, 0xaa}};
const Instant kStart = Instant{} + 1h;

// Checksums by an independent program.
Bytes ping4() {
    return from_hex(
        "0200000000aa 020000000001 0800 4500 0020 1234 4000 40 01 a49d c0000201 c000020a"
        "08 00 3331 0007 0001 6162 6364 0000"
    );
}
Bytes pong4() {
    return from_hex(
        "020000000001 0200000000aa 0800 4500 0020 0000 4000 40 01 b6d1 c000020a c0000201"
        "00 00 3b31 0007 0001 6162 6364"
    );
}
Bytes ping6() {
    return from_hex(
        "0200000000aa 020000000001 86dd 60000000 000c 3a 40"
        "20010db8000000000000000000000001 20010db8000000000000000000000010"
        "80 00 0000 0007 0001 61626364"
    );
}

class EchoTest : public testing::Test {
protected:
    EchoTest() {
        station_.set_ports({{1, "eth0", kOurs, true, true}}, kStart);
        set(true);
    }

    void set(bool echo, Role role = Role::Announce) {
        Announcements announcements;
        announcements[ip("192.0.2.10")] = {{}, role, echo};
        announcements[ip("2001:db8::10")] = {{}, role, echo};
        station_.set_announcements(
            std::make_shared<const Announcements>(std::move(announcements)), kStart
        );
    }

    Actions receive(const Bytes& frame, Instant now = kStart) {
        Actions out;
        station_.on_frame(1, frame, now, out);
        return out;
    }

    Rng rng_{1};
    Station station_{{}, rng_};
};

Bytes sent(const Actions& actions) {
    const auto view = std::get<Send>(actions.at(0)).frame.view();
    return {view.begin(), view.end()};
}

// Puts the right checksum into an ICMPv6 message of a frame.
Bytes with_icmpv6_checksum(Bytes frame) {
    std::uint32_t sum = 58 + static_cast<std::uint32_t>(frame.size() - 54);
    frame[56] = frame[57] = std::byte{0};
    for (std::size_t i = 22; i < frame.size(); i += 2) {
        sum += std::to_integer<std::uint32_t>(frame[i]) << 8U;
        sum += i + 1 < frame.size() ? std::to_integer<std::uint32_t>(frame[i + 1]) : 0U;
    }
    while (sum > 0xffffU) {
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    frame[56] = std::byte{static_cast<std::uint8_t>(~(sum >> 8U) & 0xffU)};
    frame[57] = std::byte{static_cast<std::uint8_t>(~sum & 0xffU)};
    return frame;
}

// Shorter than what the checksum of ICMPv6 is taken over: a hardened build checks every span.
TEST_F(EchoTest, AnswersThePingOfOnlyAHeader) {
    const auto actions = receive(
        from_hex("0200000000aa 020000000001 0800 4500 001c 1234 4000 40 01 a4a1 c0000201 c000020a"
                 "08 00 f7f7 0007 0001")
    );
    ASSERT_THAT(actions, SizeIs(1));
    EXPECT_EQ(
        sent(actions),
        from_hex("020000000001 0200000000aa 0800 4500 001c 0000 4000 40 01 b6d5 c000020a c0000201"
                 "00 00 fff7 0007 0001")
    );
}

TEST_F(EchoTest, AnswersAPingByteForByte) {
    const Actions out = receive(ping4());

    ASSERT_THAT(out, SizeIs(1));
    EXPECT_EQ(sent(out), pong4());
}

TEST_F(EchoTest, AnswersAnIpv6PingWithSwappedAddressesAndItsData) {
    const Actions out = receive(with_icmpv6_checksum(ping6()));

    ASSERT_THAT(out, SizeIs(1));
    EXPECT_EQ(
        sent(out),
        with_icmpv6_checksum(
            from_hex("020000000001 0200000000aa 86dd 60000000 000c 3a 40"
                     "20010db8000000000000000000000010 20010db8000000000000000000000001"
                     "81 00 0000 0007 0001 61626364")
        )
    );
}

TEST_F(EchoTest, AnswersLongPingsUpToAUsualLinksFrames) {
    for (const std::size_t size : {56U, 117U, 118U, 119U, 120U, 1500U, 1514U}) {
        Bytes frame = ping6();
        frame.resize(size < 62 ? 62 : size, std::byte{7});
        const std::size_t payload = frame.size() - 54;
        frame[18] = std::byte{static_cast<std::uint8_t>(payload >> 8U)};
        frame[19] = std::byte{static_cast<std::uint8_t>(payload & 0xffU)};
        const Bytes ping = with_icmpv6_checksum(frame);

        const Actions out = receive(ping);

        ASSERT_THAT(out, SizeIs(1)) << size;
        Bytes pong = ping;
        std::swap_ranges(pong.begin(), pong.begin() + 6, pong.begin() + 6);
        std::swap_ranges(pong.begin() + 22, pong.begin() + 38, pong.begin() + 38);
        pong[54] = std::byte{129};
        EXPECT_EQ(sent(out), with_icmpv6_checksum(pong)) << size;
    }
}

TEST_F(EchoTest, IsSilentWhereItIsNotWanted) {
    set(false);

    EXPECT_THAT(receive(ping4()), IsEmpty());
    EXPECT_THAT(receive(with_icmpv6_checksum(ping6())), IsEmpty());
    EXPECT_EQ(station_.drops().of(Drop::NotAnnounced), 2U);
}

TEST_F(EchoTest, GoesOnWhileYieldingAndStopsWithoutALease) {
    set(true, Role::Yield);
    EXPECT_THAT(receive(ping4()), SizeIs(1));

    station_.set_lease(kStart, kStart);
    EXPECT_THAT(receive(ping4()), IsEmpty());
}

struct Bad {
    const char* name;
    std::size_t offset;
    std::uint8_t value;
    Drop why;
};

TEST_F(EchoTest, DropsWhatIsNoWholeValidPingToUs) {
    for (const Bad& bad : {
             Bad{"checksum", 36, 0xff, Drop::Checksum},
             Bad{"header checksum", 24, 0xff, Drop::Checksum},
             Bad{"more fragments", 20, 0x20, Drop::Fragment},
             Bad{"fragment offset", 21, 0x05, Drop::Fragment},
             Bad{"options", 14, 0x46, Drop::Malformed},
             Bad{"version", 14, 0x65, Drop::Malformed},
             Bad{"total length beyond the frame", 17, 0xff, Drop::Truncated},
             Bad{"total length below a header", 17, 10, Drop::Malformed},
             Bad{"TCP", 23, 6, Drop::NotForUs},
             Bad{"another MAC", 5, 0xab, Drop::NotForUs},
             Bad{"from a group's MAC", 6, 0x03, Drop::Spoofed},
             Bad{"VLAN tag", 12, 0x81, Drop::Vlan},
         }) {
        const auto before = station_.drops().of(bad.why);
        Bytes frame = ping4();
        frame[bad.offset] = std::byte{bad.value};

        EXPECT_THAT(receive(frame), IsEmpty()) << bad.name;
        EXPECT_EQ(station_.drops().of(bad.why), before + 1) << bad.name;
    }
}

TEST_F(EchoTest, DropsPingsFromWhomNobodyCanBe) {
    for (const std::string_view source : {"::", "ff02::1", "::1", "2001:db8::10"}) {
        Bytes frame = ping6();
        const net::IpAddress address = ip(source);
        const auto bytes = std::as_bytes(address.bytes());
        std::copy(bytes.begin(), bytes.end(), frame.begin() + 22);

        EXPECT_THAT(receive(with_icmpv6_checksum(frame)), IsEmpty()) << source;
    }
    EXPECT_EQ(station_.drops().of(Drop::Spoofed), 4U);
}

TEST_F(EchoTest, RefusesEveryTruncation) {
    for (const Bytes& whole : {ping4(), with_icmpv6_checksum(ping6())}) {
        // Behind the IPv4 packet is padding.
        const std::size_t needed = whole == ping4() ? 46 : whole.size();
        for (std::size_t size = 0; size < needed; ++size) {
            EXPECT_FALSE(decode_echo_request(std::span(whole).first(size))) << size;
        }
    }
}

TEST_F(EchoTest, RefusesFramesLongerThanAUsualLinkCarries) {
    Bytes frame = ping4();
    frame.resize(1515);
    EXPECT_EQ(decode_echo_request(frame).why(), Drop::Oversized);
}

TEST_F(EchoTest, AnswersAHundredASecondAndAddress) {
    std::size_t answered = 0;
    for (int i = 0; i < 1000; ++i) {
        answered += receive(ping4()).size();
    }
    EXPECT_EQ(answered, 100U);
    EXPECT_EQ(station_.drops().of(Drop::RateLimited), 900U);
    EXPECT_THAT(receive(with_icmpv6_checksum(ping6())), SizeIs(1)) << "another address";

    EXPECT_THAT(receive(ping4(), kStart + 10ms), SizeIs(1));
}

}  // namespace
}  // namespace steelyard::l2
