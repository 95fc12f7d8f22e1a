#include "speaker/gossip/membership.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace steelyard::gossip {
namespace {

using namespace std::chrono_literals;
using gossip_wire::Alive;
using gossip_wire::Dead;
using gossip_wire::encode;
using gossip_wire::PacketMessage;
using gossip_wire::Suspect;
using testing::ElementsAre;
using testing::IsEmpty;

net::Endpoint address_of(std::uint32_t n) {
    return {net::IpAddress::v4(0x0a000000U + n), 7946};
}

// One core, "me" at address 1, with LAN timing and no encryption; the test plays everyone else.
class MembershipTest : public testing::Test {
protected:
    static Config config() {
        Config out;
        out.name = "me";
        out.address = address_of(1);
        out.timing = timing(Profile::Lan);
        out.envelope.compress = false;
        return out;
    }

    void tell(const wire::Bytes& message, std::uint32_t from = 2) {
        core_.on_packet(address_of(from), message, now_, out_);
    }
    void add_member(const std::string& name, std::uint32_t n, std::uint32_t incarnation = 1) {
        tell(encode(Alive{incarnation, name, address_of(n), {}, {}}));
    }
    void advance(Duration by) {
        const Instant end = now_ + by;
        while (core_.next_deadline() && *core_.next_deadline() <= end) {
            now_ = std::max(now_, *core_.next_deadline());
            core_.on_deadline(now_, out_);
        }
        now_ = end;
    }
    std::vector<std::string> changes() {
        std::vector<std::string> out;
        for (const Action& action : out_) {
            if (const auto* changed = std::get_if<Changed>(&action)) {
                out.push_back(std::string(to_string(changed->kind)) + " " + changed->member.name);
            }
        }
        return out;
    }
    // Every message of kind T sent to this address, or to any.
    template <class T>
    std::vector<T> sent(std::optional<std::uint32_t> to = std::nullopt) {
        std::vector<T> out;
        for (const Action& action : out_) {
            const auto* packet = std::get_if<SendPacket>(&action);
            if (packet == nullptr || (to && packet->to != address_of(*to))) {
                continue;
            }
            auto opened = gossip_wire::open_packet(core_.config().envelope, packet->bytes);
            for (const PacketMessage& message : opened.value().messages) {
                if (const auto* wanted = std::get_if<T>(&message)) {
                    out.push_back(*wanted);
                }
            }
        }
        return out;
    }
    template <class T>
    std::vector<T> actions() {
        std::vector<T> out;
        for (const Action& action : out_) {
            if (const auto* wanted = std::get_if<T>(&action)) {
                out.push_back(*wanted);
            }
        }
        return out;
    }
    std::string state(const std::string& name) {
        const Member* member = core_.find(name);
        return member == nullptr ? "unknown" : std::string(to_string(member->state));
    }

    Instant now_ = Instant() + 1000s;
    Actions out_;
    Membership core_{config(), Rng(1), [](std::span<std::byte>) {}, now_};
};

TEST_F(MembershipTest, AnAliveNodeJoinsAndTheNewsGoesOn) {
    add_member("b", 2);
    add_member("c", 3);
    advance(1s);

    EXPECT_THAT(changes(), ElementsAre("joined b", "joined c"));
    EXPECT_FALSE(sent<Alive>(2).empty());
}

TEST_F(MembershipTest, AnEchoOfOldNewsChangesNothing) {
    add_member("b", 2, 5);
    out_.clear();

    add_member("b", 2, 5);
    add_member("b", 2, 4);
    tell(encode(Suspect{4, "b", "c"}));
    tell(encode(Dead{4, "b", "c"}));
    tell(encode(Suspect{9, "unknown", "c"}));
    tell(encode(Dead{9, "unknown", "c"}));

    EXPECT_THAT(changes(), IsEmpty());
    EXPECT_EQ(state("b"), "alive");
}

// Every kind of news against every state: SWIM 4.2's order of incarnations.
TEST_F(MembershipTest, NewsBeatsStateOnlyByTheRulesOfIncarnations) {
    const struct {
        MemberState start;
        const char* news;
        int delta;  // of the incarnation, against the one known
        const char* expected;
    } cases[] = {
        {MemberState::Alive, "alive", 0, "alive"},
        {MemberState::Alive, "suspect", -1, "alive"},
        {MemberState::Alive, "suspect", 0, "suspect"},
        {MemberState::Alive, "dead", -1, "alive"},
        {MemberState::Alive, "dead", 0, "dead"},
        {MemberState::Alive, "left", 0, "left"},
        {MemberState::Suspect, "alive", 0, "suspect"},
        {MemberState::Suspect, "alive", 1, "alive"},
        {MemberState::Suspect, "suspect", 1, "suspect"},
        {MemberState::Suspect, "dead", 0, "dead"},
        {MemberState::Suspect, "left", 0, "left"},
        {MemberState::Dead, "alive", 0, "dead"},
        {MemberState::Dead, "alive", 1, "alive"},
        {MemberState::Dead, "suspect", 1, "dead"},
        {MemberState::Dead, "dead", 1, "dead"},
        {MemberState::Dead, "left", 1, "dead"},
        {MemberState::Left, "alive", 0, "left"},
        {MemberState::Left, "alive", 1, "alive"},
        {MemberState::Left, "suspect", 1, "left"},
        {MemberState::Left, "dead", 1, "left"},
    };
    std::uint32_t n = 10;
    const auto news = [](const std::string& kind,
                         const std::string& node,
                         std::uint32_t at,
                         std::uint32_t incarnation) {
        if (kind == "alive") {
            return encode(Alive{incarnation, node, address_of(at), {}, {}});
        }
        if (kind == "suspect") {
            return encode(Suspect{incarnation, node, "x"});
        }
        return encode(Dead{incarnation, node, kind == "left" ? node : "x"});
    };
    for (const auto& [start, kind, delta, expected] : cases) {
        const std::string node = "node-" + std::to_string(++n);
        SCOPED_TRACE(std::string(to_string(start)) + " " + kind + " " + std::to_string(delta));
        tell(news("alive", node, n, 5));
        if (start != MemberState::Alive) {
            tell(news(std::string(to_string(start)), node, n, 5));
        }
        ASSERT_EQ(state(node), to_string(start));

        tell(news(kind, node, n, static_cast<std::uint32_t>(5 + delta)));

        EXPECT_EQ(state(node), expected);
    }
}

TEST_F(MembershipTest, AnAccusationIsRefutedWithAHigherIncarnation) {
    add_member("b", 2);
    out_.clear();

    tell(encode(Suspect{7, "me", "b"}));
    advance(300ms);

    const auto refutations = sent<Alive>(2);
    ASSERT_FALSE(refutations.empty());
    EXPECT_EQ(refutations.front().node, "me");
    EXPECT_EQ(refutations.front().incarnation, 8U);
    EXPECT_EQ(core_.self().state, MemberState::Alive);
    EXPECT_EQ(core_.health_score(), 1);
}

TEST_F(MembershipTest, NewsOfAnEarlierLifeIsRefuted) {
    add_member("b", 2);
    tell(encode(Alive{40, "me", address_of(1), {}, {}}));
    EXPECT_EQ(core_.self().incarnation, 41U);

    tell(encode(Dead{41, "me", "me"}));
    EXPECT_EQ(core_.self().incarnation, 42U);
    EXPECT_EQ(core_.self().state, MemberState::Alive);
}

TEST_F(MembershipTest, ASilentMemberIsPingedIndirectlyOverTcpThenSuspectedThenDead) {
    add_member("b", 2);
    out_.clear();

    advance(8s);

    EXPECT_FALSE(sent<gossip_wire::Ping>(2).empty());
    EXPECT_FALSE(actions<OpenStream>().empty());
    EXPECT_THAT(changes(), ElementsAre("suspected b", "failed b"));
}

TEST_F(MembershipTest, AnAckEndsTheProbe) {
    add_member("b", 2);
    for (int i = 0; i < 50; ++i) {
        out_.clear();
        advance(100ms);
        for (const auto& ping : sent<gossip_wire::Ping>(2)) {
            tell(encode(gossip_wire::AckResp{ping.seq, {}}));
        }
        ASSERT_THAT(changes(), IsEmpty());
    }
    EXPECT_EQ(state("b"), "alive");
}

TEST_F(MembershipTest, AnAckOverTcpEndsTheProbe) {
    add_member("b", 2);
    for (int i = 0; i < 50; ++i) {
        out_.clear();
        advance(100ms);
        for (const OpenStream& stream : actions<OpenStream>()) {
            gossip_wire::StreamReader reader(core_.config().envelope, true);
            const auto message = reader.feed(stream.request).value().value();
            if (const auto* ping = std::get_if<gossip_wire::Ping>(&message)) {
                core_.on_stream_data(
                    stream.id, encode(gossip_wire::AckResp{ping->seq, {}}), now_, out_
                );
            }
        }
        ASSERT_THAT(changes(), IsEmpty());
    }
}

TEST_F(MembershipTest, MissingNacksLowerOurOwnHealth) {
    add_member("b", 2);
    add_member("c", 3);
    add_member("d", 4);

    advance(3s);

    EXPECT_GE(core_.health_score(), 2);
}

TEST_F(MembershipTest, APingIsAnsweredWhereItAsksForIt) {
    tell(encode(gossip_wire::Ping{5, "me", address_of(9), "x"}));
    tell(encode(gossip_wire::Ping{6, "somebody else", address_of(9), "x"}));
    tell(encode(gossip_wire::Ping{7, "", std::nullopt, ""}), 8);

    EXPECT_THAT(sent<gossip_wire::AckResp>(9), ElementsAre(gossip_wire::AckResp{5, {}}));
    EXPECT_THAT(sent<gossip_wire::AckResp>(8), ElementsAre(gossip_wire::AckResp{7, {}}));
}

TEST_F(MembershipTest, AnIndirectPingIsRelayedAndItsAckReturned) {
    tell(encode(gossip_wire::IndirectPing{33, address_of(5), "e", true, address_of(2), "b"}));
    const auto pings = sent<gossip_wire::Ping>(5);
    ASSERT_EQ(pings.size(), 1U);

    tell(encode(gossip_wire::AckResp{pings[0].seq, {}}), 5);

    EXPECT_THAT(sent<gossip_wire::AckResp>(2), ElementsAre(gossip_wire::AckResp{33, {}}));
    advance(1s);
    EXPECT_THAT(sent<gossip_wire::NackResp>(2), IsEmpty());
}

TEST_F(MembershipTest, AnIndirectPingWithoutAnswerIsNacked) {
    tell(encode(gossip_wire::IndirectPing{33, address_of(5), "e", true, address_of(2), "b"}));

    advance(600ms);

    EXPECT_THAT(sent<gossip_wire::NackResp>(2), ElementsAre(gossip_wire::NackResp{33}));
}

TEST_F(MembershipTest, AMembersNameIsNotGivenToAnotherAddress) {
    add_member("b", 2);
    out_.clear();

    add_member("b", 3, 9);

    ASSERT_EQ(actions<Conflict>().size(), 1U);
    EXPECT_EQ(actions<Conflict>()[0].other, address_of(3));
    EXPECT_EQ(core_.find("b")->address, address_of(2));
}

TEST_F(MembershipTest, AMemberThatLeftMayComeBackElsewhere) {
    add_member("b", 2, 5);
    tell(encode(Dead{5, "b", "b"}));

    add_member("b", 3, 1);

    EXPECT_THAT(changes(), ElementsAre("joined b", "left b", "joined b"));
    EXPECT_EQ(core_.find("b")->address, address_of(3));
}

TEST_F(MembershipTest, TheDeadAreForgottenInTime) {
    add_member("b", 2);
    tell(encode(Dead{1, "b", "c"}));
    advance(20s);
    EXPECT_EQ(state("b"), "dead");

    advance(20s);

    EXPECT_EQ(state("b"), "unknown");
}

TEST_F(MembershipTest, LeavingAloneIsImmediate) {
    core_.leave(now_, out_);

    EXPECT_EQ(actions<LeaveFinished>().size(), 1U);
}

TEST_F(MembershipTest, LeavingTellsTheOthersAndThenFinishes) {
    add_member("b", 2);
    add_member("c", 3);
    out_.clear();

    core_.leave(now_, out_);
    EXPECT_TRUE(actions<LeaveFinished>().empty());
    advance(1s);

    EXPECT_EQ(actions<LeaveFinished>().size(), 1U);
    for (const std::uint32_t peer : {2U, 3U}) {
        const auto dead = sent<Dead>(peer);
        ASSERT_FALSE(dead.empty());
        EXPECT_EQ(dead[0], (Dead{1, "me", "me"}));
    }
    EXPECT_EQ(core_.self().state, MemberState::Left);
}

TEST_F(MembershipTest, NewMetaIsAnnouncedWithANewIncarnation) {
    add_member("b", 2);
    advance(1s);
    out_.clear();

    ASSERT_TRUE(core_.update_meta(wire::Bytes(3, std::byte{'m'}), now_).has_value());
    advance(300ms);

    const auto alive = sent<Alive>(2);
    ASSERT_FALSE(alive.empty());
    EXPECT_EQ(alive[0].meta, wire::Bytes(3, std::byte{'m'}));
    EXPECT_EQ(alive[0].incarnation, 2U);
    EXPECT_FALSE(core_.update_meta(wire::Bytes(513), now_).has_value());
}

TEST_F(MembershipTest, AChangedMetaIsAnUpdate) {
    add_member("b", 2);
    out_.clear();

    tell(encode(Alive{2, "b", address_of(2), wire::Bytes(1, std::byte{1}), {}}));

    EXPECT_THAT(changes(), ElementsAre("updated b"));
}

TEST_F(MembershipTest, AStrangersStateIsMergedAndOursReturned) {
    const auto id = core_.on_stream_accepted(address_of(2));
    ASSERT_TRUE(id.has_value());
    gossip_wire::PushPull theirs;
    theirs.join = true;
    theirs.nodes.push_back({Alive{1, "b", address_of(2), {}, {}}, MemberState::Alive});
    theirs.nodes.push_back({Alive{1, "c", address_of(3), {}, {}}, MemberState::Dead});

    core_.on_stream_data(*id, encode(theirs), now_, out_);

    EXPECT_THAT(changes(), ElementsAre("joined b"));
    const auto replies = actions<SendStream>();
    ASSERT_EQ(replies.size(), 1U);
    gossip_wire::StreamReader reader(core_.config().envelope, false);
    const auto reply = std::get<gossip_wire::PushPull>(reader.feed(replies[0].bytes)->value());
    ASSERT_EQ(reply.nodes.size(), 2U);
    EXPECT_EQ(reply.nodes[0].node.node, "me");
    EXPECT_EQ(reply.nodes[1].node.node, "b");
    EXPECT_EQ(actions<CloseStream>().size(), 1U);
}

// After a partition each side takes the other for dead; one exchange must show both alive again.
TEST_F(MembershipTest, WhoIsTakenForDeadSaysOtherwiseInTheSameExchange) {
    const auto id = core_.on_stream_accepted(address_of(2));
    gossip_wire::PushPull theirs;
    theirs.nodes.push_back({Alive{1, "me", address_of(1), {}, {}}, MemberState::Dead});

    core_.on_stream_data(*id, encode(theirs), now_, out_);

    gossip_wire::StreamReader reader(core_.config().envelope, false);
    const auto reply =
        std::get<gossip_wire::PushPull>(reader.feed(actions<SendStream>().at(0).bytes)->value());
    EXPECT_EQ(reply.nodes.at(0).node.incarnation, 2U);
}

TEST_F(MembershipTest, WhoHearsOfItsDeathInAnAnswerTellsThatPeerAtOnce) {
    const net::Endpoint peer = address_of(2);
    core_.join(std::span(&peer, 1), now_, out_);
    gossip_wire::PushPull theirs;
    theirs.nodes.push_back({Alive{1, "me", address_of(1), {}, {}}, MemberState::Dead});

    core_.on_stream_data(actions<OpenStream>().at(0).id, encode(theirs), now_, out_);

    EXPECT_EQ(sent<Alive>(2).at(0).incarnation, 2U);
}

TEST_F(MembershipTest, HearsayOfADeathOnlyRaisesSuspicion) {
    add_member("b", 2);
    const auto id = core_.on_stream_accepted(address_of(3));
    gossip_wire::PushPull theirs;
    theirs.nodes.push_back({Alive{1, "b", address_of(2), {}, {}}, MemberState::Dead});

    core_.on_stream_data(*id, encode(theirs), now_, out_);

    EXPECT_EQ(state("b"), "suspect");
}

TEST_F(MembershipTest, InboundStreamsAreLimited) {
    std::vector<StreamId> ids;
    for (std::uint32_t from = 2; from < 100; ++from) {
        if (const auto id = core_.on_stream_accepted(address_of(from))) {
            ids.push_back(*id);
        }
    }
    EXPECT_EQ(ids.size(), core_.config().max_inbound_streams);

    core_.on_stream_closed(ids.back());

    EXPECT_TRUE(core_.on_stream_accepted(address_of(2)).has_value());
}

TEST_F(MembershipTest, OneAddressCannotTakeAllInboundStreams) {
    std::size_t accepted = 0;
    while (core_.on_stream_accepted({address_of(2).address, 40'000})) {
        ++accepted;
    }

    EXPECT_EQ(accepted, core_.config().max_inbound_streams_per_address);
    EXPECT_TRUE(core_.on_stream_accepted(address_of(3)).has_value());
    EXPECT_EQ(core_.counters().refused_for(gossip_wire::Refusal::Limit), 1U);
}

TEST_F(MembershipTest, NonsenseChangesNothingAndIsReported) {
    add_member("b", 2);
    out_.clear();
    const auto before = core_.members().size();

    tell(wire::Bytes(1, std::byte{99}));
    tell({});
    tell(encode(Alive{1, "old", address_of(7), {}, gossip_wire::Versions{0, 0, 0, 0, 0, 0}}));
    tell(encode(Alive{1, "new", address_of(7), {}, gossip_wire::Versions{3, 9, 9, 0, 0, 0}}));
    core_.on_stream_data(12345, encode(Suspect{1, "b", "c"}), now_, out_);

    EXPECT_EQ(actions<Refused>().size(), 4U);
    EXPECT_EQ(core_.members().size(), before);
    EXPECT_THAT(changes(), IsEmpty());
}

TEST_F(MembershipTest, APauseOfOurOwnIsNotHeldAgainstOthers) {
    add_member("b", 2);
    add_member("c", 3);
    out_.clear();
    while (sent<gossip_wire::Ping>().empty()) {
        advance(100ms);
    }
    const auto ping = sent<gossip_wire::Ping>().front();

    // The process is stopped for a minute; the answer waits in the socket's buffer.
    now_ += 60s;
    core_.on_deadline(now_, out_);
    tell(encode(gossip_wire::AckResp{ping.seq, {}}));

    EXPECT_THAT(changes(), IsEmpty());
    EXPECT_GT(core_.health_score() + 1, 0);
}

}  // namespace
}  // namespace steelyard::gossip
