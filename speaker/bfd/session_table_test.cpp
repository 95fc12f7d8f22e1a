#include "speaker/bfd/session_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace steelyard::bfd {
namespace {

net::IpAddress ip(const char* text) {
    return net::IpAddress::parse(text).value();
}

class SessionTableTest : public testing::Test {
protected:
    static SessionConfig session(const std::string& key, const char* remote) {
        SessionConfig out;
        out.key = key;
        out.remote = ip(remote);
        return out;
    }
    static SessionConfig on(SessionConfig config, const char* interface) {
        config.interface = interface;
        return config;
    }

    void set(std::vector<SessionConfig> sessions) {
        table_.set_sessions(std::move(sessions), now_, out_);
    }
    SessionId id(const std::string& key) {
        const auto keys = table_.keys();
        const auto found = std::find_if(keys.begin(), keys.end(), [&](const auto& entry) {
            return entry.first == key;
        });
        return found == keys.end() ? SessionId{} : found->second;
    }
    static Arrival from(const char* remote, unsigned interface = 1) {
        Arrival out;
        out.from = ip(remote);
        out.to = ip("10.9.0.1");
        out.interface = interface;
        out.ttl = 255;
        return out;
    }
    static ControlPacket packet(State state = State::Down) {
        ControlPacket out;
        out.state = state;
        out.my_discriminator = 5;
        out.required_min_rx = out.desired_min_tx = 1000000;
        return out;
    }
    void hear(const Arrival& arrival, const ControlPacket& packet) {
        table_.on_packet(arrival, encode(packet), now_, out_);
    }
    void bring_up(const std::string& key, const Arrival& arrival) {
        ControlPacket up = packet(State::Init);
        up.your_discriminator = static_cast<std::uint32_t>(id(key));
        hear(arrival, up);
    }
    State state(const std::string& key) { return table_.status(id(key)).state; }
    std::uint64_t drops(Drop reason) { return table_.drops()[static_cast<std::size_t>(reason)]; }
    std::vector<Changed> take_changes() {
        std::vector<Changed> out;
        for (const Action& action : out_) {
            if (const auto* changed = std::get_if<Changed>(&action)) {
                out.push_back(*changed);
            }
        }
        out_.clear();
        return out;
    }

    Instant now_{1000s};
    Actions out_;
    SessionTable table_{Rng(3)};
};

TEST_F(SessionTableTest, DiscriminatorsAreUniqueAndNotZero) {
    std::vector<SessionConfig> many;
    for (int i = 0; i < 200; ++i) {
        many.push_back(session("k" + std::to_string(i), ("10.9.1." + std::to_string(i)).c_str()));
    }
    set(std::move(many));

    std::vector<SessionId> ids;
    for (const auto& [key, one] : table_.keys()) {
        ids.push_back(one);
    }
    std::sort(ids.begin(), ids.end());

    EXPECT_EQ(ids.size(), 200U);
    EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
    EXPECT_NE(ids.front(), SessionId{0});
}

TEST_F(SessionTableTest, APacketThatMayHaveBeenForwardedIsDropped) {
    set({session("a", "10.9.0.2")});
    Arrival arrival = from("10.9.0.2");
    arrival.ttl = 254;

    hear(arrival, packet());

    EXPECT_EQ(drops(Drop::TtlNot255), 1U);
    EXPECT_EQ(state("a"), State::Down);
}

TEST_F(SessionTableTest, MultihopTakesTheTtlOfItsProfile) {
    SessionConfig config = session("a", "10.9.0.2");
    config.multihop = true;
    config.profile.minimum_ttl = 250;
    set({config});
    Arrival arrival = from("10.9.0.2");
    arrival.multihop = true;
    arrival.ttl = 249;

    hear(arrival, packet());
    EXPECT_EQ(drops(Drop::TtlTooLow), 1U);
    arrival.ttl = 250;
    hear(arrival, packet());

    EXPECT_EQ(state("a"), State::Init);
}

TEST_F(SessionTableTest, APacketToTheOtherPortIsNobodys) {
    set({session("a", "10.9.0.2")});
    Arrival arrival = from("10.9.0.2");
    arrival.multihop = true;
    arrival.ttl = 3;
    ControlPacket known = packet(State::Up);
    known.your_discriminator = static_cast<std::uint32_t>(id("a"));

    hear(arrival, packet());
    hear(arrival, known);

    EXPECT_EQ(drops(Drop::UnknownPeer), 1U);
    EXPECT_EQ(drops(Drop::WrongPeer), 1U);
}

TEST_F(SessionTableTest, ADiscriminatorWeDoNotHaveIsDropped) {
    set({session("a", "10.9.0.2")});
    ControlPacket wrong = packet();
    wrong.your_discriminator = static_cast<std::uint32_t>(id("a")) ^ 1U;

    hear(from("10.9.0.2"), wrong);

    EXPECT_EQ(drops(Drop::UnknownDiscriminator), 1U);
}

TEST_F(SessionTableTest, WithoutOurDiscriminatorOnlyDownStatesAreTaken) {
    set({session("a", "10.9.0.2")});

    hear(from("10.9.0.2"), packet(State::Init));
    hear(from("10.9.0.2"), packet(State::Up));
    EXPECT_EQ(drops(Drop::YourDiscriminatorZero), 2U);
    hear(from("10.9.0.2"), packet(State::Down));

    EXPECT_EQ(state("a"), State::Init);
}

TEST_F(SessionTableTest, AStrangerIsDropped) {
    set({session("a", "10.9.0.2")});

    hear(from("10.9.0.3"), packet());

    EXPECT_EQ(drops(Drop::UnknownPeer), 1U);
}

TEST_F(SessionTableTest, OurDiscriminatorFromElsewhereIsDropped) {
    set({session("a", "10.9.0.2")});
    bring_up("a", from("10.9.0.2"));
    ControlPacket guess = packet();
    guess.your_discriminator = static_cast<std::uint32_t>(id("a"));

    hear(from("10.9.0.3"), guess);

    EXPECT_EQ(drops(Drop::WrongPeer), 1U);
    EXPECT_EQ(state("a"), State::Up);
}

TEST_F(SessionTableTest, AuthenticationWeDoNotUseIsDropped) {
    set({session("a", "10.9.0.2")});
    ControlPacket signed_packet = packet();
    signed_packet.authentication = true;
    const PacketBytes head = encode(signed_packet);
    std::vector<std::byte> bytes(head.begin(), head.end());
    bytes.resize(24 + 28);
    bytes[3] = std::byte{24 + 28};

    table_.on_packet(from("10.9.0.2"), bytes, now_, out_);

    EXPECT_EQ(drops(Drop::Authentication), 1U);
    EXPECT_EQ(state("a"), State::Down);
}

TEST_F(SessionTableTest, APeerThatRestartedIsKnownByItsAddress) {
    set({session("a", "10.9.0.2")});
    hear(from("10.9.0.2"), packet());
    bring_up("a", from("10.9.0.2"));
    ASSERT_EQ(state("a"), State::Up);

    hear(from("10.9.0.2"), packet());

    EXPECT_EQ(state("a"), State::Down);
    EXPECT_EQ(take_changes().back().diagnostic, Diagnostic::NeighborSignaledDown);
}

TEST_F(SessionTableTest, OnePeerOnTwoInterfacesIsTwoSessions) {
    set({on(session("a", "fe80::2"), "eth0"), on(session("b", "fe80::2"), "eth1")});
    hear(from("fe80::2", 10), packet());
    EXPECT_EQ(drops(Drop::UnknownPeer), 1U);  // no interface has its index yet
    table_.set_interface(id("a"), 10);
    table_.set_interface(id("b"), 11);

    hear(from("fe80::2", 11), packet());

    EXPECT_EQ(state("a"), State::Down);
    EXPECT_EQ(state("b"), State::Init);
}

TEST_F(SessionTableTest, TheVrfTellsSessionsApart) {
    SessionConfig red = session("red", "10.9.0.2");
    red.vrf = "red";
    set({session("main", "10.9.0.2"), red});
    Arrival arrival = from("10.9.0.2");
    arrival.vrf = "red";

    hear(arrival, packet());

    EXPECT_EQ(state("main"), State::Down);
    EXPECT_EQ(state("red"), State::Init);
}

TEST_F(SessionTableTest, OurAddressTellsSessionsApart) {
    SessionConfig one = session("one", "10.9.0.2");
    one.local = ip("10.9.0.1");
    SessionConfig other = session("other", "10.9.0.2");
    other.local = ip("10.9.0.9");
    set({one, other});

    hear(from("10.9.0.2"), packet());

    EXPECT_EQ(state("one"), State::Init);
    EXPECT_EQ(state("other"), State::Down);
}

TEST_F(SessionTableTest, TwoKeysOfOneSessionShareIt) {
    set({session("a", "10.9.0.2")});
    bring_up("a", from("10.9.0.2"));
    take_changes();

    set({session("a", "10.9.0.2"), session("b", "10.9.0.2")});
    const auto joined = take_changes();
    ControlPacket down = packet(State::Down);
    down.your_discriminator = static_cast<std::uint32_t>(id("b"));
    hear(from("10.9.0.2"), down);
    const auto both = take_changes();

    EXPECT_EQ(id("a"), id("b"));
    ASSERT_EQ(joined.size(), 1U);
    EXPECT_EQ(joined[0].key, "b");
    EXPECT_EQ(joined[0].state, State::Up);
    EXPECT_EQ(both.size(), 2U);
}

TEST_F(SessionTableTest, ASessionThatIsGoneSaysAdminDownTwice) {
    set({session("a", "10.9.0.2")});
    bring_up("a", from("10.9.0.2"));
    out_.clear();

    set({});

    ASSERT_EQ(out_.size(), 3U);
    for (int i = 0; i < 2; ++i) {
        const auto& sent = std::get<SendControl>(out_[static_cast<std::size_t>(i)]);
        EXPECT_EQ(std::get<ControlPacket>(decode(sent.bytes)).state, State::AdminDown);
    }
    EXPECT_TRUE(std::holds_alternative<Closed>(out_[2]));
    EXPECT_TRUE(table_.keys().empty());
    table_.on_deadline(now_ + 10s, out_);  // nobody is left to be due
}

TEST_F(SessionTableTest, AnotherProfileIsTheSameSession) {
    set({session("a", "10.9.0.2")});
    bring_up("a", from("10.9.0.2"));
    const SessionId before = id("a");
    SessionConfig changed = session("a", "10.9.0.2");
    changed.profile.multiplier = 9;
    out_.clear();

    set({changed});

    EXPECT_EQ(id("a"), before);
    EXPECT_EQ(state("a"), State::Up);
    const auto& sent = std::get<SendControl>(out_.at(0));
    EXPECT_EQ(std::get<ControlPacket>(decode(sent.bytes)).multiplier, 9);
}

TEST_F(SessionTableTest, AKeyIsToldThatItsNewSessionIsDown) {
    set({session("a", "10.9.0.2")});

    const auto changes = take_changes();

    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].key, "a");
    EXPECT_EQ(changes[0].state, State::Down);
}

// Else its owner would go on believing in the old one, or take its end for a failure.
TEST_F(SessionTableTest, AKeyThatMovesToAnotherSessionHearsAnIntendedEnd) {
    set({session("a", "10.9.0.2")});
    bring_up("a", from("10.9.0.2"));
    take_changes();

    set({session("a", "10.9.0.3")});

    const auto changes = take_changes();
    ASSERT_EQ(changes.size(), 2U);
    EXPECT_EQ(changes[0].state, State::AdminDown);
    EXPECT_EQ(changes[1].state, State::Down);
}

TEST_F(SessionTableTest, AKeyThatMovesToASessionThatIsUpHearsThatLast) {
    for (const char* remote : {"10.9.0.2", "10.9.0.3"}) {  // whichever is looked at first
        table_ = SessionTable(Rng(3));
        set({session("a", "10.9.0.2"), session("b", "10.9.0.3")});
        bring_up("a", from("10.9.0.2"));
        bring_up("b", from("10.9.0.3"));
        take_changes();

        set({session("a", remote), session("b", remote)});

        const auto changes = take_changes();
        ASSERT_EQ(changes.size(), 2U) << remote;
        EXPECT_EQ(changes[0].state, State::AdminDown);
        EXPECT_EQ(changes[1].state, State::Up);
    }
}

TEST(DeadlinesTest, WhoIsDueLaterIsAskedAgainInTime) {
    const Instant start{10s};
    Deadlines deadlines;
    deadlines.set(SessionId{1}, start + 1s);
    deadlines.set(SessionId{2}, start + 2s);
    deadlines.set(SessionId{1}, start + 5s);  // put off: still asked after one second
    deadlines.set(SessionId{2}, start + 500ms);

    EXPECT_EQ(deadlines.next(), start + 500ms);
    EXPECT_EQ(deadlines.pop(start + 1s), SessionId{2});
    EXPECT_EQ(deadlines.pop(start + 1s), SessionId{1});
    EXPECT_EQ(deadlines.pop(start + 1s), std::nullopt);
    deadlines.set(SessionId{1}, start + 5s);
    deadlines.remove(SessionId{2});

    EXPECT_EQ(deadlines.pop(start + 4s), std::nullopt);
    EXPECT_EQ(deadlines.pop(start + 5s), SessionId{1});
}

TEST(DeadlinesTest, EverEarlierDeadlinesDoNotPileUp) {
    const Instant start{1000s};
    Deadlines deadlines;
    for (int i = 0; i < 100000; ++i) {
        deadlines.set(SessionId{1}, start - std::chrono::microseconds(i));
    }
    EXPECT_LE(deadlines.entries(), 100U);
    EXPECT_EQ(deadlines.next(), start - 99999us);
}

TEST(DeadlinesTest, SessionsThatCameAndWentDoNotPileUp) {
    const Instant start{1000s};
    Deadlines deadlines;
    for (std::uint32_t i = 1; i <= 10000; ++i) {
        deadlines.set(SessionId{i}, start + 1h);
        deadlines.remove(SessionId{i});
    }
    EXPECT_LE(deadlines.entries(), 100U);
}

}  // namespace
}  // namespace steelyard::bfd
