#include "speaker/l2/bpf.hpp"

#include "common/base/rng.hpp"
#include "speaker/l2/arp.hpp"
#include "speaker/l2/ndp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

namespace steelyard::l2 {
namespace {

// The few opcodes the generator emits, as the kernel runs them: a load outside the packet drops it.
class Interpreter {
public:
    static std::uint32_t run(const BpfProgram& program, std::span<const std::byte> packet) {
        std::uint32_t accumulator = 0;
        for (std::size_t at = 0; at < program.size(); ++at) {
            const BpfInstruction& step = program[at];
            bool taken = false;
            switch (step.code) {
                case 0x20:
                case 0x28:
                case 0x30: {
                    const std::size_t width = step.code == 0x20 ? 4 : step.code == 0x28 ? 2 : 1;
                    const auto loaded = load(packet, step.operand, width);
                    if (!loaded) {
                        return 0;
                    }
                    accumulator = *loaded;
                    continue;
                }
                case 0x15:
                    taken = accumulator == step.operand;
                    break;
                case 0x25:
                    taken = accumulator > step.operand;
                    break;
                case 0x35:
                    taken = accumulator >= step.operand;
                    break;
                case 0x06:
                    return step.operand;
                default:
                    ADD_FAILURE() << "opcode " << step.code;
                    return 0;
            }
            at += taken ? step.jump_true : step.jump_false;
        }
        ADD_FAILURE() << "ran off the end";
        return 0;
    }

private:
    static std::optional<std::uint32_t> load(
        std::span<const std::byte> packet, std::size_t offset, std::size_t width
    ) {
        if (offset + width > packet.size()) {
            return std::nullopt;
        }
        std::uint32_t value = 0;
        for (const std::byte byte : packet.subspan(offset, width)) {
            value = value << 8U | std::to_integer<std::uint32_t>(byte);
        }
        return value;
    }
};

net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

const net::MacAddress kAsker{{2, 0, 0, 0, 0, 1}};

Frame request(const net::IpAddress& target) {
    ArpPacket packet = arp_probe(kAsker, target);
    packet.sender_ip = ip("192.0.2.1");
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

bool passes(const BpfProgram& program, const Frame& frame) {
    return Interpreter::run(program, frame.view()) != 0;
}

TEST(BpfTest, ArpFilterPassesExactlyTheOwnedTargets) {
    Rng rng(11);
    std::vector<net::IpAddress> owned;
    for (int i = 0; i < 200; ++i) {
        owned.push_back(net::IpAddress::v4(0xc0000200U + static_cast<std::uint32_t>(rng.below(500)))
        );
    }
    owned.push_back(ip("0.0.0.0"));
    owned.push_back(ip("255.255.255.255"));
    const BpfProgram program = arp_filter(owned);

    for (std::uint32_t i = 0; i < 520; ++i) {
        const auto target = net::IpAddress::v4(0xc00001f8U + i);
        const bool is_owned = std::find(owned.begin(), owned.end(), target) != owned.end();
        EXPECT_EQ(passes(program, request(target)), is_owned) << to_string(target);
    }
    EXPECT_TRUE(passes(program, request(ip("0.0.0.0"))));
    EXPECT_TRUE(passes(program, request(ip("255.255.255.255"))));
}

TEST(BpfTest, ArpFilterPassesAForeignClaimOfAnOwnedAddress) {
    const BpfProgram program = arp_filter(std::vector{ip("192.0.2.10")});
    EXPECT_TRUE(
        passes(program, encode_arp(gratuitous_arp(ArpOperation::Reply, kAsker, ip("192.0.2.10"))))
    );
}

TEST(BpfTest, NothingOwnedPassesNothing) {
    EXPECT_FALSE(passes(arp_filter({}), request(ip("192.0.2.10"))));
    EXPECT_FALSE(passes(ndp_filter({}), solicitation(ip("2001:db8::10"))));
}

TEST(BpfTest, ConsecutiveAddressesCostOneRange) {
    std::vector<net::IpAddress> pool;
    for (std::uint64_t i = 0; i < 250; ++i) {
        pool.push_back(ip("192.0.2.1").plus(i));
    }
    EXPECT_EQ(arp_filter(pool).size(), arp_filter(std::vector{ip("192.0.2.1")}).size());
}

TEST(BpfTest, ScatteredAddressesBeyondTheLimitPassAllRequestsButNoReplies) {
    std::vector<net::IpAddress> scattered;
    for (std::uint64_t i = 0; i <= kMaxBpfRanges; ++i) {
        scattered.push_back(ip("192.0.2.0").plus(2 * i));
    }
    const BpfProgram program = arp_filter(scattered);

    EXPECT_LT(program.size(), 20U);
    EXPECT_TRUE(passes(program, request(ip("198.51.100.1"))));
    EXPECT_FALSE(
        passes(program, encode_arp(gratuitous_arp(ArpOperation::Reply, kAsker, ip("192.0.2.10"))))
    );
}

TEST(BpfTest, NdpFilterPassesSolicitationsAndAdvertisementsOfOwnedTargets) {
    const BpfProgram program = ndp_filter(std::vector{ip("2001:db8::10"), ip("192.0.2.10")});

    EXPECT_TRUE(passes(program, solicitation(ip("2001:db8::10"))));
    EXPECT_FALSE(passes(program, solicitation(ip("2001:db8::11"))));
    EXPECT_TRUE(passes(
        program, encode_ndp(unsolicited_advertisement(kAsker, ip("2001:db8::10"), all_nodes()))
    ));
}

TEST(BpfTest, OtherTrafficIsDropped) {
    const std::vector owned{ip("192.0.2.10"), ip("2001:db8::10")};
    EXPECT_FALSE(passes(arp_filter(owned), solicitation(ip("2001:db8::10"))));
    EXPECT_FALSE(passes(ndp_filter(owned), request(ip("192.0.2.10"))));
    const std::vector<std::byte> short_packet(13);
    EXPECT_EQ(Interpreter::run(arp_filter(owned), short_packet), 0U);
}

TEST(BpfTest, ProgramsFitTheKernelsLimit) {
    std::vector<net::IpAddress> scattered;
    for (std::uint64_t i = 0; i < kMaxBpfRanges; ++i) {
        scattered.push_back(ip("192.0.2.0").plus(2 * i));
    }
    EXPECT_LT(arp_filter(scattered).size(), 4096U);  // BPF_MAXINSNS
}

}  // namespace
}  // namespace steelyard::l2
