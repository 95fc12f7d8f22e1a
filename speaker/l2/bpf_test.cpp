#include "speaker/l2/bpf.hpp"

#include "common/base/rng.hpp"
#include "speaker/l2/arp.hpp"
#include "speaker/l2/echo.hpp"
#include "speaker/l2/ndp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

namespace steelyard::l2 {
namespace {

// The opcodes the generator emits, as the kernel runs them: a load outside the packet drops it.
class Interpreter {
public:
    std::uint32_t packet_type = 0;  // PACKET_HOST

    std::uint32_t run(const BpfProgram& program, std::span<const std::byte> packet) {
        accumulator_ = 0;
        for (std::size_t at = 0; at < program.size(); ++at) {
            const BpfInstruction& step = program[at];
            switch (step.code & 0x07U) {
                case 0x00: {
                    const auto loaded = load(packet, step);
                    if (!loaded) {
                        return 0;
                    }
                    accumulator_ = *loaded;
                    break;
                }
                case 0x04:
                    compute(step);
                    break;
                case 0x05:
                    at += step.code == 0x05 ? step.operand : jump(step);
                    break;
                case 0x06:
                    return step.operand;
                case 0x07:
                    index_ = accumulator_;
                    break;
                default:
                    ADD_FAILURE() << "opcode " << step.code;
                    return 0;
            }
        }
        ADD_FAILURE() << "ran off the end";
        return 0;
    }

private:
    std::optional<std::uint32_t> load(std::span<const std::byte> packet, const BpfInstruction& step)
        const {
        if (step.operand == 0xfffff000U + 4) {
            return packet_type;
        }
        const std::size_t width = step.code == 0x20 ? 4 : step.code == 0x28 ? 2 : 1;
        if (step.operand + width > packet.size()) {
            return std::nullopt;
        }
        std::uint32_t value = 0;
        for (const std::byte byte : packet.subspan(step.operand, width)) {
            value = value << 8U | std::to_integer<std::uint32_t>(byte);
        }
        return value;
    }

    void compute(const BpfInstruction& step) {
        switch (step.code) {
            case 0x0c:
                accumulator_ += index_;
                break;
            case 0x14:
                accumulator_ -= step.operand;
                break;
            case 0x24:
                accumulator_ *= step.operand;
                break;
            case 0x54:
                accumulator_ &= step.operand;
                break;
            default:
                ADD_FAILURE() << "opcode " << step.code;
        }
    }

    std::size_t jump(const BpfInstruction& step) const {
        bool taken = false;
        switch (step.code) {
            case 0x15:
                taken = accumulator_ == step.operand;
                break;
            case 0x25:
                taken = accumulator_ > step.operand;
                break;
            case 0x35:
                taken = accumulator_ >= step.operand;
                break;
            default:
                ADD_FAILURE() << "opcode " << step.code;
        }
        return taken ? step.jump_true : step.jump_false;
    }

    std::uint32_t accumulator_ = 0;
    std::uint32_t index_ = 0;
};

net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

const net::MacAddress kAsker{{2, 0, 0, 0, 0, 1}};

Frame request(const net::IpAddress& target) {
    ArpPacket packet = arp_probe(kAsker, target);
    packet.sender_ip = ip("198.51.100.1");
    return encode_arp(packet);
}

Frame solicitation(const net::IpAddress& target) {
    NdpPacket packet;
    packet.destination = solicited_node_group(target);
    packet.frame_destination = multicast_mac(packet.destination);
    packet.frame_source = kAsker;
    packet.source = ip("2001:db8::1");
    packet.target = target;
    packet.link_layer = kAsker;
    return encode_ndp(packet);
}

Frame ping(const net::IpAddress& target) {
    std::array<std::byte, 60> data{};
    EchoRequest request;
    request.frame_source = kAsker;
    request.source = target;  // encode_echo_reply() turns it round
    request.destination = target.is_v4() ? ip("192.0.2.1") : ip("2001:db8::1");
    request.rest = data;
    Frame frame = encode_echo_reply(kAsker, request);
    const std::size_t type = target.is_v4() ? 34 : 54;
    frame.patch_u16(type, target.is_v4() ? 0x0800 : 0x8000);
    return frame;
}

Frame frame_of(Channel channel, const net::IpAddress& target) {
    switch (channel) {
        case Channel::Arp:
            return request(target);
        case Channel::Ndp:
            return solicitation(target);
        case Channel::Echo4:
        case Channel::Echo6:
            return ping(target);
    }
    return {};
}

std::size_t receivers(const std::vector<BpfProgram>& programs, const Frame& frame) {
    return static_cast<std::size_t>(std::count_if(
        programs.begin(),
        programs.end(),
        [&](const BpfProgram& program) { return Interpreter().run(program, frame.view()) != 0; }
    ));
}

constexpr std::size_t kDebian12 = 2400;  // its kernel's optmem_max

std::vector<BpfProgram> filters(Channel channel, const std::vector<net::IpAddress>& addresses) {
    return make_filters(channel, addresses, kLargestBudget);
}

bool passes(const std::vector<BpfProgram>& programs, const Frame& frame) {
    return receivers(programs, frame) != 0;
}

constexpr std::array kAll{Channel::Arp, Channel::Ndp, Channel::Echo4, Channel::Echo6};

net::IpAddress random_address(net::Family family, Rng& rng) {
    if (family == net::Family::V4) {
        return net::IpAddress::v4(static_cast<std::uint32_t>(rng.next()));
    }
    std::array<std::uint8_t, 16> bytes{0x20, 0x01};
    for (std::size_t i = 4; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(rng.next());
    }
    return net::IpAddress::v6(bytes);
}

TEST(BpfTest, TenThousandScatteredAddressesAreSharedOutExactly) {
    for (const Channel channel : kAll) {
        for (const std::size_t budget : {kLargestBudget, kDebian12, kSmallestBudget}) {
            Rng rng(11);
            std::vector<net::IpAddress> owned;
            for (int i = 0; i < 10'000; ++i) {
                owned.push_back(random_address(family(channel), rng));
            }
            const auto programs = make_filters(channel, owned, budget);
            for (const BpfProgram& program : programs) {
                EXPECT_LE(program.size(), 4096U);
                EXPECT_LE(cost(program), budget);
            }

            for (int i = 0; i < 100; ++i) {
                const auto& address = owned[static_cast<std::size_t>(i) * 97];
                EXPECT_EQ(receivers(programs, frame_of(channel, address)), 1U);
                EXPECT_FALSE(
                    passes(programs, frame_of(channel, random_address(family(channel), rng)))
                );
            }
        }
    }
}

TEST(BpfTest, NeighboursOfOwnedAddressesAreForeign) {
    Rng rng(11);
    for (const std::string_view first :
         {"192.0.2.0", "0.0.0.0", "255.255.254.0", "127.255.255.0"}) {
        std::set<net::IpAddress> owned;
        for (int i = 0; i < 200; ++i) {
            owned.insert(ip(first).plus(rng.below(500)));
        }
        const auto programs = filters(Channel::Arp, {owned.begin(), owned.end()});
        for (std::uint64_t i = 0; i < 512; ++i) {
            const auto target = ip(first).plus(i);
            EXPECT_EQ(passes(programs, request(target)), owned.contains(target))
                << to_string(target);
        }
    }
}

TEST(BpfTest, NeighboursOfOwnedIpv6AddressesAreForeignInAnyWord) {
    const auto owned = ip("2001:db8:1:2:3:4:5:10");
    const auto programs = filters(Channel::Ndp, {owned});

    EXPECT_TRUE(passes(programs, solicitation(owned)));
    for (const std::string_view other :
         {"2001:db8:1:2:3:4:5:11",
          "2001:db8:1:2:3:5:5:10",
          "2001:db8:1:3:3:4:5:10",
          "2001:db9:1:2:3:4:5:10"}) {
        EXPECT_FALSE(passes(programs, solicitation(ip(other)))) << other;
    }
}

TEST(BpfTest, AForeignClaimOfAnOwnedAddressPasses) {
    const auto arp = filters(Channel::Arp, {ip("192.0.2.10")});
    EXPECT_TRUE(
        passes(arp, encode_arp(gratuitous_arp(ArpOperation::Reply, kAsker, ip("192.0.2.10"))))
    );
    ArpPacket asks_as_us = arp_probe(kAsker, ip("192.0.2.1"));
    asks_as_us.sender_ip = ip("192.0.2.10");
    EXPECT_TRUE(passes(arp, encode_arp(asks_as_us)));

    const auto ndp = filters(Channel::Ndp, {ip("2001:db8::10")});
    EXPECT_TRUE(
        passes(ndp, encode_ndp(unsolicited_advertisement(kAsker, ip("2001:db8::10"), all_nodes())))
    );
}

TEST(BpfTest, NothingOwnedPassesNothing) {
    for (const Channel channel : kAll) {
        const bool v4 = family(channel) == net::Family::V4;
        const auto address = v4 ? ip("192.0.2.10") : ip("2001:db8::10");
        EXPECT_FALSE(passes(filters(channel, {}), frame_of(channel, address)));
        const auto other = v4 ? ip("2001:db8::10") : ip("192.0.2.10");
        EXPECT_FALSE(passes(filters(channel, {other}), frame_of(channel, address)));
    }
}

TEST(BpfTest, ConsecutiveAddressesCostOneRange) {
    for (const Channel channel : kAll) {
        const bool v4 = family(channel) == net::Family::V4;
        std::vector<net::IpAddress> pool;
        for (std::uint64_t i = 0; i < 250; ++i) {
            pool.push_back((v4 ? ip("192.0.2.1") : ip("2001:db8::f0")).plus(i));
        }
        const auto programs = filters(channel, pool);
        EXPECT_EQ(programs.size(), 1U);
        EXPECT_LT(programs[0].size(), 60U);
    }
}

TEST(BpfTest, AChannelPassesItsOwnKindAlone) {
    for (const Channel channel : kAll) {
        const auto programs = filters(channel, {ip("192.0.2.10"), ip("2001:db8::10")});
        for (const Channel other : kAll) {
            const bool v4 = family(other) == net::Family::V4;
            const auto address = v4 ? ip("192.0.2.10") : ip("2001:db8::10");
            EXPECT_EQ(passes(programs, frame_of(other, address)), channel == other);
        }
        const std::vector<std::byte> short_packet(13);
        EXPECT_EQ(Interpreter().run(programs[0], short_packet), 0U);
    }
}

TEST(BpfTest, FragmentsAndIpOptionsAreNoPings) {
    const auto programs = filters(Channel::Echo4, {ip("192.0.2.10")});
    for (const auto& [offset, value] :
         {std::pair<std::size_t, std::uint16_t>{20, 0x2000}, {20, 0x0010}, {14, 0x4600}}) {
        Frame frame = ping(ip("192.0.2.10"));
        EXPECT_TRUE(passes(programs, frame));
        frame.patch_u16(offset, value);
        EXPECT_FALSE(passes(programs, frame));
    }
}

TEST(BpfTest, WhatIsForOthersIsDropped) {
    for (const Channel channel : kAll) {
        const auto address = family(channel) == net::Family::V4 ? ip("192.0.2.10") : ip("fd00::10");
        const auto programs = filters(channel, {address});
        for (const std::uint32_t type : {0U, 1U, 2U, 3U}) {  // host, broadcast, multicast, other
            Interpreter kernel;
            kernel.packet_type = type;
            const bool passed = kernel.run(programs[0], frame_of(channel, address).view()) != 0;
            EXPECT_EQ(passed, type != 3U);
        }
    }
}

}  // namespace
}  // namespace steelyard::l2
