#include "speaker/gossip/membership.hpp"
#include "speaker/gossip/wire/lzw.hpp"
#include "speaker/gossip/wire/testing.hpp"

#include <gtest/gtest.h>

#include <map>

namespace steelyard::gossip {
namespace {

using namespace std::chrono_literals;
using gossip_wire::Alive;
using gossip_wire::bytes_of;
using gossip_wire::Dead;
using gossip_wire::encode;
using gossip_wire::Refusal;
using gossip_wire::Suspect;

net::Endpoint address_of(std::uint32_t n) {
    return {net::IpAddress::v4(0x0a000000U + n), 7946};
}

// An encrypted, labelled member that knows "b" and "c". Whatever bytes arrive, what it knows must
// stay as it is, and the counter of the reason must grow.
class HostileTest : public testing::Test {
protected:
    static gossip_wire::KeyRing ring(std::vector<std::string_view> secrets) {
        std::vector<gossip_wire::Key> keys;
        for (const std::string_view secret : secrets) {
            keys.push_back(gossip_wire::metallb_key(secret));
        }
        return gossip_wire::KeyRing::make(std::move(keys)).value();
    }
    static Config config() {
        Config out;
        out.name = "me";
        out.address = address_of(1);
        out.envelope.label = "blue";
        out.envelope.keys = ring({"secret"});
        return out;
    }
    HostileTest() {
        tell(seal(encode(Alive{5, "b", address_of(2), bytes_of("meta"), {}})));
        tell(seal(encode(Alive{5, "c", address_of(3), {}, {}})));
        before_ = knowledge();
    }

    wire::Bytes seal(const wire::Bytes& message) { return seal(message, config().envelope); }
    wire::Bytes seal(const wire::Bytes& message, const gossip_wire::Envelope& envelope) {
        return seal_packets(envelope, std::span(&message, 1), false, random_).front();
    }
    wire::Bytes stream(const wire::Bytes& message) {
        return seal_stream(config().envelope, message, true, random_);
    }
    void tell(const wire::Bytes& packet) { core_.on_packet(address_of(9), packet, now_, out_); }
    void connect_and_send(const wire::Bytes& bytes) {
        const auto id = core_.on_stream_accepted(address_of(9));
        ASSERT_TRUE(id.has_value());
        core_.on_stream_data(*id, bytes, now_, out_);
        core_.on_stream_closed(*id);
    }
    // Everything about every member, as one text.
    std::string knowledge() {
        std::string out;
        for (const Member& member : core_.members()) {
            out += member.name + " " + to_string(member.address) + " " +
                   std::string(to_string(member.state)) + " " + std::to_string(member.incarnation) +
                   " " + std::string(gossip_wire::as_text(member.meta)) + "\n";
        }
        return out;
    }
    std::uint64_t refused(Refusal reason) { return core_.counters().refused_for(reason); }
    std::uint64_t refused() {
        std::uint64_t all = 0;
        for (const Refusal reason : gossip_wire::kRefusals) {
            all += refused(reason);
        }
        return all;
    }

    Instant now_ = Instant() + 1000s;
    Actions out_;
    Rng noise_{7};
    gossip_wire::RandomBytes random_ = [this](std::span<std::byte> out) {
        for (std::byte& byte : out) {
            byte = static_cast<std::byte>(noise_.below(256));
        }
    };
    Membership core_{config(), Rng(1), random_, now_};
    std::string before_;
};

TEST_F(HostileTest, WronglyKeyedOrLabelledPacketsAreDroppedAndCounted) {
    const wire::Bytes lie = encode(Dead{9, "b", "b"});
    gossip_wire::Envelope other_key = config().envelope;
    other_key.keys = ring({"other"});
    gossip_wire::Envelope other_label = config().envelope;
    other_label.label = "red";
    gossip_wire::Envelope clear = config().envelope;
    clear.keys = {};

    tell(seal(lie, other_key));
    tell(seal(lie, clear));
    tell(seal(lie, other_label));
    connect_and_send(seal_stream(other_key, encode(gossip_wire::PushPull()), true, random_));
    connect_and_send(seal_stream(clear, encode(gossip_wire::PushPull()), true, random_));
    connect_and_send(seal_stream(other_label, encode(gossip_wire::PushPull()), true, random_));

    EXPECT_EQ(refused(Refusal::WrongKey), 4U);
    EXPECT_EQ(refused(Refusal::Label), 2U);
    EXPECT_EQ(knowledge(), before_);
}

TEST_F(HostileTest, EveryTruncationOfAPacketIsDropped) {
    const wire::Bytes packet = seal(encode(Dead{9, "b", "b"}));
    for (std::size_t size = 0; size < packet.size(); ++size) {
        tell(wire::Bytes(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)));
    }

    EXPECT_EQ(refused(), packet.size());
    EXPECT_EQ(knowledge(), before_);
}

TEST_F(HostileTest, EveryTruncationOfAStreamIsDropped) {
    gossip_wire::PushPull state;
    state.nodes.push_back({Alive{9, "d", address_of(4), {}, {}}, MemberState::Alive});
    const wire::Bytes bytes = stream(encode(state));
    for (std::size_t size = 1; size < bytes.size(); ++size) {
        connect_and_send(
            wire::Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size))
        );
    }

    EXPECT_EQ(refused(), bytes.size() - 1);
    EXPECT_EQ(knowledge(), before_);
}

TEST_F(HostileTest, EveryFlippedBitOfAPacketIsDropped) {
    const wire::Bytes packet = seal(encode(Dead{9, "b", "b"}));
    for (std::size_t bit = 0; bit < packet.size() * 8; ++bit) {
        wire::Bytes changed = packet;
        changed[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
        tell(changed);
    }

    EXPECT_EQ(refused(), packet.size() * 8);
    EXPECT_EQ(knowledge(), before_);
}

TEST_F(HostileTest, APacketRecordedAndSentAgainChangesNothing) {
    const wire::Bytes alive = seal(encode(Alive{6, "b", address_of(2), bytes_of("new"), {}}));
    tell(alive);
    const std::string after = knowledge();
    EXPECT_NE(after, before_);

    for (int i = 0; i < 10'000; ++i) {
        tell(alive);
    }

    EXPECT_EQ(refused(Refusal::Replay), 10'000U);
    EXPECT_EQ(knowledge(), after);
}

TEST_F(HostileTest, AnOldPacketThatTheFilterForgotIsOvertakenByIncarnations) {
    const wire::Bytes dead = seal(encode(Dead{5, "b", "c"}));
    tell(dead);
    tell(seal(encode(Alive{6, "b", address_of(2), {}, {}})));
    const std::string after = knowledge();
    for (int i = 0; i < 100'000; ++i) {
        tell(seal(encode(gossip_wire::NackResp{1})));
    }

    tell(dead);

    EXPECT_EQ(knowledge(), after);
}

TEST_F(HostileTest, AReplayedExchangeOfStateIsDropped) {
    gossip_wire::PushPull state;
    state.nodes.push_back({Alive{9, "d", address_of(4), {}, {}}, MemberState::Alive});
    const wire::Bytes bytes = stream(encode(state));
    connect_and_send(bytes);
    const std::string after = knowledge();
    EXPECT_NE(after, before_);
    out_.clear();

    connect_and_send(bytes);

    EXPECT_EQ(refused(Refusal::Replay), 1U);
    EXPECT_EQ(knowledge(), after);
    for (const Action& action : out_) {
        EXPECT_FALSE(std::holds_alternative<SendStream>(action));
    }
}

TEST_F(HostileTest, BombsAreDropped) {
    const wire::Bytes zeros(17 << 20, std::byte{0});
    const wire::Bytes bomb = gossip_wire::encode_compress(gossip_wire::lzw_compress(zeros));
    gossip_wire::Envelope plain = config().envelope;
    plain.compress = false;

    tell(seal(bomb, plain));
    connect_and_send(seal_stream(plain, bomb, true, random_));

    EXPECT_EQ(refused(Refusal::Oversized), 2U);
    EXPECT_EQ(knowledge(), before_);
}

TEST_F(HostileTest, LiesAboutLengthsAreDropped) {
    gossip_wire::Envelope plain = config().envelope;
    plain.compress = false;
    // A compound of 200 parts in three bytes; a message that ends in a field; an unknown type.
    tell(seal({std::byte{7}, std::byte{200}, std::byte{0}}, plain));
    tell(seal({std::byte{4}, std::byte{0x86}, std::byte{0xa4}}, plain));
    tell(seal({std::byte{99}}, plain));

    EXPECT_EQ(refused(Refusal::Malformed), 3U);
    EXPECT_EQ(knowledge(), before_);
}

TEST_F(HostileTest, ForeignVersionsAndImpossibleAddressesAreDropped) {
    const gossip_wire::Versions none{0, 0, 0, 0, 0, 0};
    const gossip_wire::Versions future{6, 9, 6, 0, 0, 0};
    const gossip_wire::Versions other_delegate{1, 5, 2, 2, 5, 4};
    for (const gossip_wire::Versions& versions : {none, future, other_delegate}) {
        tell(seal(encode(Alive{1, "d", address_of(4), {}, versions})));
    }
    tell(seal(encode(Alive{1, "d", {net::IpAddress(), 7946}, {}, {}})));
    tell(seal(encode(Alive{1, "d", {net::IpAddress::v4(0xe0000001U), 7946}, {}, {}})));
    tell(seal(encode(Alive{1, "new\nline", address_of(4), {}, {}})));

    EXPECT_EQ(refused(Refusal::Version), 3U);
    EXPECT_EQ(refused(Refusal::Malformed), 3U);
    EXPECT_EQ(knowledge(), before_);
}

TEST_F(HostileTest, AStolenNameIsAConflict) {
    tell(seal(encode(Alive{9, "b", address_of(66), {}, {}})));

    EXPECT_EQ(refused(Refusal::Conflict), 1U);
    EXPECT_EQ(knowledge(), before_);
}

TEST_F(HostileTest, UserMessagesAreIgnoredOnBothTransports) {
    wire::Bytes on_stream{std::byte{8}, std::byte{0x81}, std::byte{0xaa}};
    const wire::Bytes key = bytes_of("UserMsgLen");
    on_stream.insert(on_stream.end(), key.begin(), key.end());
    on_stream.push_back(std::byte{5});
    const wire::Bytes body = bytes_of("hello");
    on_stream.insert(on_stream.end(), body.begin(), body.end());

    tell(seal(encode(gossip_wire::User{bytes_of("hello")})));
    tell(seal(encode(gossip_wire::User{})));
    connect_and_send(stream(on_stream));

    EXPECT_EQ(core_.counters().user_messages, 3U);
    EXPECT_EQ(refused(), 0U);
    EXPECT_EQ(knowledge(), before_);
}

TEST_F(HostileTest, HalfSentStreamsHoldNoMoreThanTheirBudget) {
    // Sealed streams that claim 8 MB each and send all but the end.
    wire::Bytes start = bytes_of(std::string("\xf4\x04") + "blue\x0a");
    for (const unsigned byte : {0x00U, 0x80U, 0x00U, 0x00U}) {
        start.push_back(static_cast<std::byte>(byte));
    }
    start.resize(8'000'000);
    for (std::uint32_t n = 0; n < 10; ++n) {
        const auto id = core_.on_stream_accepted(address_of(20 + n));
        ASSERT_TRUE(id.has_value());
        core_.on_stream_data(*id, start, now_, out_);
    }

    EXPECT_EQ(refused(Refusal::Oversized), 6U);  // four fit in 32 MB
}

TEST_F(HostileTest, NoiseNeverChangesAnything) {
    for (int i = 0; i < 20'000; ++i) {
        wire::Bytes noise(noise_.below(200));
        random_(noise);
        tell(noise);
        // As if by one who knows label and key, so that it reaches the inner decoders.
        if (!noise.empty()) {
            noise[0] = static_cast<std::byte>(noise_.below(16));
            gossip_wire::Envelope plain = config().envelope;
            plain.compress = false;
            tell(seal(noise, plain));
        }
    }

    EXPECT_EQ(knowledge(), before_);
}

TEST_F(HostileTest, KeysRotateInThreeStepsWithoutARefusal) {
    gossip_wire::Envelope old_first = config().envelope;
    gossip_wire::Envelope new_first = config().envelope;
    new_first.keys = ring({"new", "secret"});
    std::uint32_t incarnation = 5;
    const auto hear = [&](const gossip_wire::Envelope& envelope) {
        tell(seal(encode(Alive{++incarnation, "b", address_of(2), {}, {}}), envelope));
        return core_.find("b")->incarnation == incarnation;
    };

    ASSERT_TRUE(core_.set_keys(ring({"secret", "new"})).has_value());
    EXPECT_TRUE(hear(old_first) && hear(new_first));
    ASSERT_TRUE(core_.set_keys(ring({"new", "secret"})).has_value());
    EXPECT_TRUE(hear(old_first) && hear(new_first));
    ASSERT_TRUE(core_.set_keys(ring({"new"})).has_value());
    EXPECT_TRUE(hear(new_first));
    EXPECT_EQ(refused(), 0U);
    EXPECT_FALSE(hear(old_first));
    EXPECT_EQ(refused(Refusal::WrongKey), 1U);
}

TEST_F(HostileTest, EncryptionIsNotSwitchedOffWhileRunning) {
    EXPECT_FALSE(core_.set_keys({}).has_value());
    EXPECT_TRUE(core_.config().envelope.keys.enabled());
}

}  // namespace
}  // namespace steelyard::gossip
