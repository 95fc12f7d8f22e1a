#include "speaker/bfd/packet.hpp"

#include "speaker/bfd/echo.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace steelyard::bfd {
namespace {

ControlPacket sample() {
    ControlPacket out;
    out.diagnostic = Diagnostic::NeighborSignaledDown;
    out.state = State::Init;
    out.poll = true;
    out.demand = true;
    out.multiplier = 5;
    out.my_discriminator = 0x01020304;
    out.your_discriminator = 0xa0b0c0d0;
    out.desired_min_tx = 300000;
    out.required_min_rx = 50000;
    out.required_min_echo_rx = 7;
    return out;
}

std::vector<std::byte> bytes_of(const std::vector<int>& values) {
    std::vector<std::byte> out;
    std::transform(values.begin(), values.end(), std::back_inserter(out), [](int value) {
        return static_cast<std::byte>(value);
    });
    return out;
}

TEST(PacketTest, TheBytesAreThoseOfTheRfc) {
    const std::vector<std::byte> wanted = bytes_of({
        0x23, 0xa2, 5,    24,                            // version 1, diagnostic 3; Init, P, D
        1,    2,    3,    4,    0xa0, 0xb0, 0xc0, 0xd0,  // ours, theirs
        0,    0x04, 0x93, 0xe0, 0,    0,    0xc3, 0x50,  // 300 ms, 50 ms
        0,    0,    0,    7,
    });

    const PacketBytes bytes = encode(sample());

    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), wanted.begin(), wanted.end()));
}

TEST(PacketTest, WhatWasEncodedIsDecoded) {
    for (const State state : {State::AdminDown, State::Down, State::Init, State::Up}) {
        for (int flags = 0; flags < 8; ++flags) {
            ControlPacket packet = sample();
            packet.state = state;
            packet.poll = (flags & 1) != 0;
            packet.final = (flags & 2) != 0;
            packet.control_plane_independent = (flags & 4) != 0;

            const auto decoded = decode(encode(packet));

            ASSERT_TRUE(std::holds_alternative<ControlPacket>(decoded));
            EXPECT_EQ(std::get<ControlPacket>(decoded), packet);
        }
    }
}

struct Bad {
    std::string name;
    std::function<void(std::vector<std::byte>&)> damage;
    Drop reason;
};

class BadPacketTest : public testing::TestWithParam<Bad> {};

TEST_P(BadPacketTest, IsDroppedForItsReason) {
    const PacketBytes good = encode(sample());
    std::vector<std::byte> bytes(good.begin(), good.end());
    GetParam().damage(bytes);

    const auto decoded = decode(bytes);

    ASSERT_TRUE(std::holds_alternative<Drop>(decoded));
    EXPECT_EQ(std::get<Drop>(decoded), GetParam().reason);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc5880Section686,
    BadPacketTest,
    testing::Values(
        Bad{"Empty", [](auto& bytes) { bytes.clear(); }, Drop::TooShort},
        Bad{"OneByteMissing", [](auto& bytes) { bytes.pop_back(); }, Drop::TooShort},
        Bad{"Version0", [](auto& bytes) { bytes[0] = std::byte{0x03}; }, Drop::Version},
        Bad{"Version7", [](auto& bytes) { bytes[0] = std::byte{0xe3}; }, Drop::Version},
        Bad{"Length23", [](auto& bytes) { bytes[3] = std::byte{23}; }, Drop::LengthTooSmall},
        Bad{"Length0", [](auto& bytes) { bytes[3] = std::byte{0}; }, Drop::LengthTooSmall},
        Bad{"LengthBeyond",
            [](auto& bytes) { bytes[3] = std::byte{25}; },
            Drop::LengthBeyondPacket},
        Bad{"LengthWithoutRoomForAuthentication",
            [](auto& bytes) { bytes[1] |= std::byte{0x04}; },
            Drop::LengthTooSmall},
        Bad{"AuthenticationBeyond",
            [](auto& bytes) {
                bytes[1] |= std::byte{0x04};
                bytes[3] = std::byte{52};
            },
            Drop::LengthBeyondPacket},
        Bad{"MultiplierZero", [](auto& bytes) { bytes[2] = std::byte{0}; }, Drop::MultiplierZero},
        Bad{"Multipoint", [](auto& bytes) { bytes[1] |= std::byte{0x01}; }, Drop::Multipoint},
        Bad{"MyDiscriminatorZero",
            [](auto& bytes) { std::fill_n(bytes.begin() + 4, 4, std::byte{0}); },
            Drop::MyDiscriminatorZero},
        Bad{"TheFirstReasonCounts",
            [](auto& bytes) {
                bytes[2] = std::byte{0};
                bytes[3] = std::byte{99};
            },
            Drop::LengthBeyondPacket}
    ),
    [](const auto& test) { return test.param.name; }
);

TEST(PacketTest, WhatFollowsThePacketIsIgnored) {
    const PacketBytes good = encode(sample());
    std::vector<std::byte> bytes(good.begin(), good.end());
    bytes.resize(200);

    EXPECT_TRUE(std::holds_alternative<ControlPacket>(decode(bytes)));
}

TEST(PacketTest, EveryReasonHasItsOwnName) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < kDrops; ++i) {
        names.insert(to_string(static_cast<Drop>(i)));
    }

    EXPECT_EQ(names.size(), kDrops);
    EXPECT_FALSE(names.contains("unknown"));
}

// An echo as it comes back: one hop was taken off.
wire::Bytes returned(const char* address, std::size_t ttl_at) {
    const Echo echo{0x11223344, 7, 0x0102030405060708};
    wire::Bytes out = echo_datagram(net::IpAddress::parse(address).value(), encode(echo));
    EXPECT_EQ(out[ttl_at], std::byte{255});
    out[ttl_at] = std::byte{254};
    return out;
}

TEST(EchoTest, AnEchoThatComesBackIsRecognised) {
    for (const auto& [address, ttl_at] :
         std::vector<std::pair<const char*, std::size_t>>{{"10.9.0.1", 8}, {"fd09::1", 7}}) {
        const auto arrival = parse_echo_datagram(returned(address, ttl_at));

        ASSERT_TRUE(arrival.has_value()) << address;
        EXPECT_EQ(to_string(arrival->address), address);
        EXPECT_EQ(arrival->echo, (Echo{0x11223344, 7, 0x0102030405060708}));
    }
}

TEST(EchoTest, TheIPv4HeaderHasItsChecksum) {
    const wire::Bytes sent =
        echo_datagram(net::IpAddress::parse("10.9.0.1").value(), encode(Echo{1, 2, 3}));
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < 20; i += 2) {
        sum += std::to_integer<std::uint32_t>(sent[i]) << 8U |
               std::to_integer<std::uint32_t>(sent[i + 1]);
    }

    EXPECT_EQ((sum & 0xffffU) + (sum >> 16U), 0xffffU);
}

TEST(EchoTest, WhatIsNotOursAfterOneHopIsNothing) {
    const std::vector<std::pair<std::string, std::function<void(wire::Bytes&)>>> cases = {
        {"not forwarded",
         [](auto& bytes) {
             bytes[8] = std::byte{255};
         }},
        {"two hops",
         [](auto& bytes) {
             bytes[8] = std::byte{253};
         }},
        {"no UDP",
         [](auto& bytes) {
             bytes[9] = std::byte{6};
         }},
        {"fragment",
         [](auto& bytes) {
             bytes[6] = std::byte{0x20};
         }},
        {"another source",
         [](auto& bytes) {
             bytes[15] = std::byte{9};
         }},
        {"another port",
         [](auto& bytes) {
             bytes[23] = std::byte{9};
         }},
        {"cut",
         [](auto& bytes) {
             bytes.resize(bytes.size() - 1);
         }},
        {"header beyond the datagram",
         [](auto& bytes) {
             bytes[0] = std::byte{0x4f};
         }},
        {"header too short",
         [](auto& bytes) {
             bytes[0] = std::byte{0x44};
         }},
        {"no IP",
         [](auto& bytes) {
             bytes[0] = std::byte{0x05};
         }},
        {"nothing",
         [](auto& bytes) {
             bytes.clear();
         }},
    };
    for (const auto& [name, damage] : cases) {
        wire::Bytes bytes = returned("10.9.0.1", 8);
        damage(bytes);

        EXPECT_FALSE(parse_echo_datagram(bytes).has_value()) << name;
    }
}

}  // namespace
}  // namespace steelyard::bfd
