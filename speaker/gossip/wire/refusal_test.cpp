#include "speaker/gossip/wire/refusal.hpp"

#include "speaker/gossip/wire/lzw.hpp"
#include "speaker/gossip/wire/packet.hpp"
#include "speaker/gossip/wire/testing.hpp"

#include <gtest/gtest.h>

#include <set>

namespace steelyard::gossip_wire {
namespace {

TEST(RefusalTest, EachHasItsOwnNameAndSurvivesAnError) {
    std::set<std::string_view> names;
    for (const Refusal refusal : kRefusals) {
        const Error error = make_error(refusal, "why");

        EXPECT_EQ(refusal_of(error), refusal);
        EXPECT_EQ(error.code.message(), to_string(refusal));
        EXPECT_TRUE(error.code.failed());
        names.insert(to_string(refusal));
    }
    EXPECT_EQ(names.size(), kRefusals.size());
    EXPECT_EQ(refusal_of(steelyard::make_error(Errc::Timeout, "late")), Refusal::Malformed);
}

// One packet for each way to be wrong, as a receiver with this label and key sees it.
TEST(RefusalTest, APacketSaysInWhichWayItIsWrong) {
    Envelope ours;
    ours.label = "blue";
    ours.keys = KeyRing::make({metallb_key("secret")}).value();
    Envelope clear;
    const std::vector<wire::Bytes> messages{encode(Suspect{1, "a", "b"})};
    const auto seal = [&](const Envelope& envelope) {
        return seal_packets(envelope, messages, true, counting_bytes()).front();
    };
    Envelope other_label = ours;
    other_label.label = "red";
    Envelope other_key = ours;
    other_key.keys = KeyRing::make({metallb_key("other")}).value();
    Envelope label_only = ours;
    label_only.keys = {};
    wire::Bytes wrong_sum = seal(clear);
    wrong_sum[2] ^= std::byte{1};
    wire::Bytes bomb(1 << 20, std::byte{0});
    wire::Bytes lying{std::byte{7}, std::byte{9}, std::byte{0}};
    const struct {
        std::string_view name;
        const Envelope& receiver;
        wire::Bytes packet;
        Refusal refusal;
    } cases[] = {
        {"another label", ours, seal(other_label), Refusal::Label},
        {"another key", ours, seal(other_key), Refusal::WrongKey},
        {"clear text with our label", ours, seal(label_only), Refusal::WrongKey},
        {"empty", clear, {}, Refusal::Malformed},
        {"checksum", clear, wrong_sum, Refusal::Checksum},
        {"bomb", clear, encode_compress(lzw_compress(bomb)), Refusal::Oversized},
        {"not LZW", clear, encode_compress(bytes_of("not LZW")), Refusal::Compression},
        {"compound that lies", clear, lying, Refusal::Malformed},
    };
    for (const auto& row : cases) {
        const auto opened = open_packet(row.receiver, row.packet);

        ASSERT_FALSE(opened.has_value()) << row.name;
        EXPECT_EQ(refusal_of(opened.error()), row.refusal) << row.name;
    }
}

}  // namespace
}  // namespace steelyard::gossip_wire
