#include "speaker/bfd/refusals.hpp"

#include "speaker/bfd/session_table.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace steelyard::bfd {
namespace {

net::IpAddress ip(const char* text) {
    return net::IpAddress::parse(text).value();
}

// One session of the table, and a peer whose packets it refuses.
class RefusalsTest : public testing::Test {
protected:
    void open(bool multihop = false, const std::function<void(SessionConfig&)>& edit = {}) {
        SessionConfig config;
        config.key = "a";
        config.remote = ip("10.9.0.2");
        config.multihop = multihop;
        if (edit) {
            edit(config);
        }
        arrival_.from = config.remote;
        arrival_.to = ip("10.9.0.1");
        arrival_.interface = 4;
        arrival_.multihop = multihop;
        arrival_.ttl = 255;
        packet_.my_discriminator = 9;
        table_.set_sessions({config}, now_, out_);
        id_ = table_.keys().front().second;
    }
    void hear() { table_.on_packet(arrival_, encode(packet_), now_, out_); }
    // Once a second, as a peer that is not up speaks.
    void hear_for_a_while() {
        for (int i = 0; i < 4; ++i) {
            hear();
            now_ += 1s;
        }
    }
    [[nodiscard]] std::string trouble() const { return table_.trouble(id_); }

    Instant now_{1000s};
    Actions out_;
    Arrival arrival_;
    ControlPacket packet_;
    SessionTable table_{Rng(3)};
    SessionId id_{};
};

// BIRD's multihop packets with MetalLB's default profile.
TEST_F(RefusalsTest, TheTtlSeenAndTheMinimumAreNamed) {
    open(true);
    arrival_.ttl = 63;
    hear_for_a_while();
    arrival_.ttl = 62;
    hear();

    EXPECT_EQ(
        trouble(),
        "its packets arrive with TTL 62, below minimumTtl 254 of the BFD profile: a router that "
        "sends with a TTL under 255 (BIRD: 64) needs a minimumTtl of 62 or less"
    );
}

TEST_F(RefusalsTest, ItIsOverWhenAPacketIsTaken) {
    open(true);
    arrival_.ttl = 63;
    hear_for_a_while();
    arrival_.ttl = 254;
    hear();

    EXPECT_EQ(trouble(), "");
}

TEST_F(RefusalsTest, ItIsOverWhenTheProfileChanges) {
    const auto lower = [](SessionConfig& config) {
        config.profile.minimum_ttl = 60;
    };
    open(true);
    arrival_.ttl = 63;
    hear_for_a_while();
    open(true, lower);

    EXPECT_EQ(trouble(), "");
}

TEST_F(RefusalsTest, AMomentOfConfusionIsNotWorthALine) {
    open();
    packet_.your_discriminator = 12345;
    hear();
    now_ += 500ms;
    hear();

    EXPECT_EQ(trouble(), "");
}

TEST_F(RefusalsTest, AStrangerWhoForgesBesideAPeerThatIsHeardIsNoTrouble) {
    open();
    for (int i = 0; i < 10; ++i) {
        arrival_.ttl = 255;
        hear();
        arrival_.ttl = 60;
        hear();
        now_ += 1s;
    }

    EXPECT_EQ(trouble(), "");
}

TEST_F(RefusalsTest, EachReasonSaysWhatIsWrong) {
    struct Case {
        std::function<void(Arrival&, ControlPacket&)> wrong;
        const char* text;
    };
    const auto contains = [](const std::string& text, const char* part) {
        return text.find(part) != std::string::npos;
    };
    const std::vector<Case> cases = {
        {[](Arrival& arrival, ControlPacket&) { arrival.ttl = 254; },
         "TTL 254, those of a neighbour with 255"},
        {[](Arrival&, ControlPacket& packet) { packet.your_discriminator = 12345; },
         "that this node does not have"},
        {[](Arrival&, ControlPacket& packet) { packet.state = State::Up; },
         "without your discriminator"},
        {[](Arrival&, ControlPacket& packet) { packet.multiplier = 0; },
         "malformed (multiplier_zero)"},
        {[](Arrival& arrival, ControlPacket&) { arrival.multihop = true; },
         "it sends to port 4784 (multihop), the session here is on port 3784 (single hop)"},
        {[](Arrival& arrival, ControlPacket&) { arrival.vrf = "red"; },
         "its packets arrive in VRF red, the session here is in the default VRF"},
        {[](Arrival& arrival, ControlPacket&) { arrival.to = ip("10.9.0.7"); },
         "it sends to 10.9.0.7, the session here is at 10.9.0.1"},
        {[](Arrival& arrival, ControlPacket&) { arrival.interface = 5; },
         "do not arrive on interface eth0"},
        {[this](Arrival& arrival, ControlPacket& packet) {
             packet.your_discriminator = static_cast<std::uint32_t>(id_);
             arrival.from = ip("10.9.0.3");
         },
         "it answers from 10.9.0.3"},
    };
    for (const Case& one : cases) {
        table_ = SessionTable(Rng(3));
        packet_ = ControlPacket();
        arrival_ = Arrival();
        open(false, [](SessionConfig& config) {
            config.local = ip("10.9.0.1");
            config.interface = "eth0";
        });
        table_.set_interface(id_, 4);
        one.wrong(arrival_, packet_);
        hear_for_a_while();
        EXPECT_TRUE(contains(trouble(), one.text)) << one.text << "\n" << trouble();
    }
}

TEST_F(RefusalsTest, AuthenticationIsToBeTurnedOff) {
    open();
    packet_.authentication = true;
    const PacketBytes head = encode(packet_);
    std::vector<std::byte> bytes(head.begin(), head.end());
    bytes.resize(24 + 28);
    bytes[3] = std::byte{24 + 28};
    for (int i = 0; i < 4; ++i) {
        table_.on_packet(arrival_, bytes, now_, out_);
        now_ += 1s;
    }

    EXPECT_EQ(
        trouble(), "it authenticates its packets, which is not supported: turn that off there"
    );
}

}  // namespace
}  // namespace steelyard::bfd
