#include "speaker/ring/watch_ring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

namespace steelyard::ring {
namespace {

using namespace std::chrono_literals;

const Instant kStart = Instant() + 1h;

gossip_wire::KeyRing keys(const std::string& letters) {
    std::vector<gossip_wire::Key> out;
    for (const char letter : letters) {
        out.emplace_back(32, static_cast<std::byte>(letter));
    }
    return gossip_wire::KeyRing::make(std::move(out)).value();
}

net::Endpoint endpoint(std::uint16_t port) {
    return {net::IpAddress::v4(0x0a000001), port};
}

struct Node {
    explicit Node(
        std::string node_name,
        std::uint16_t port,
        std::uint64_t epoch,
        gossip_wire::KeyRing ring,
        unsigned watchers = 3
    )
        : name(std::move(node_name)),
          self{name, endpoint(port), epoch},
          core({name, epoch, std::move(ring), 100ms, watchers}, Rng(port), kStart) {}

    // What it sends from now until then to that node.
    std::vector<wire::Bytes> run(Instant until, const Peer& to) {
        std::vector<wire::Bytes> out;
        while (core.next_deadline() <= until) {
            Actions actions;
            core.on_deadline(core.next_deadline(), actions);
            for (Action& action : actions) {
                auto* packet = std::get_if<SendPacket>(&action);
                if (packet != nullptr && packet->to == to.address) {
                    out.push_back(std::move(packet->bytes));
                }
            }
        }
        return out;
    }
    Actions hear(const Peer& from, const wire::Bytes& bytes, Instant now) {
        Actions out;
        core.on_packet(from.address, bytes, now, out);
        return out;
    }
    void know(const std::vector<Peer>& peers, Instant now = kStart) {
        Actions out;
        core.set_peers(peers, now, out);
    }

    std::string name;
    Peer self;
    WatchRing core;
};

class WatchRingTest : public testing::Test {
protected:
    WatchRingTest() {
        a_.know({b_.self});
        b_.know({a_.self});
    }
    wire::Bytes heartbeat_of_a() { return a_.run(kStart + 100ms, b_.self).front(); }
    static std::string refusal(const Actions& actions) {
        EXPECT_EQ(actions.size(), 1U);
        const auto* refused = actions.empty() ? nullptr : std::get_if<Refused>(&actions.front());
        return refused == nullptr ? "" : refused->why;
    }

    Node a_{"a", 1, 11, keys("k")};
    Node b_{"b", 2, 22, keys("k")};
};

TEST_F(WatchRingTest, AHeartbeatIsSmallAndMakesItsReceiverAWatcher) {
    const auto beat = heartbeat_of_a();

    EXPECT_EQ(beat.size(), 44U);  // 60 with three watchers
    EXPECT_TRUE(b_.hear(a_.self, beat, kStart + 100ms).empty());
    EXPECT_EQ(b_.core.watched(), std::vector<std::string>{"a"});
}

TEST_F(WatchRingTest, AReplayedPacketChangesNothing) {
    const auto beat = heartbeat_of_a();
    b_.hear(a_.self, beat, kStart + 100ms);

    EXPECT_EQ(refusal(b_.hear(a_.self, beat, kStart + 101ms)), "ring packet of a: came before");
    EXPECT_EQ(b_.core.counters().replayed, 1U);
    EXPECT_EQ(b_.core.counters().packets_received, 1U);
}

TEST_F(WatchRingTest, AShortenedOrAlteredPacketChangesNothing) {
    const auto beat = heartbeat_of_a();
    for (std::size_t i = 0; i < beat.size(); ++i) {
        auto shorter = beat;
        shorter.resize(i);
        refusal(b_.hear(a_.self, shorter, kStart + 100ms));
        auto altered = beat;
        altered[i] ^= std::byte{1};
        refusal(b_.hear(a_.self, altered, kStart + 100ms));
    }
    const Counters& counters = b_.core.counters();
    EXPECT_EQ(counters.packets_received, 0U);
    EXPECT_EQ(
        counters.malformed + counters.unknown_sender + counters.unopened + counters.replayed,
        2 * beat.size()
    );
    EXPECT_TRUE(b_.core.watched().empty());
}

TEST_F(WatchRingTest, AnotherKeyOpensNothing) {
    Node stranger("a", 1, 11, keys("x"));
    stranger.know({b_.self});

    const auto beat = stranger.run(kStart + 100ms, b_.self).front();

    EXPECT_EQ(
        refusal(b_.hear(a_.self, beat, kStart + 100ms)),
        "ring packet of a: none of our keys opens it"
    );
    EXPECT_EQ(b_.core.counters().unopened, 1U);
}

TEST_F(WatchRingTest, APacketForAnotherReceiverOrAnotherLifeOfOursOpensNothing) {
    const auto beat = heartbeat_of_a();
    Node other("c", 3, 33, keys("k"));
    other.know({a_.self});
    Node later("b", 2, 23, keys("k"));
    later.know({a_.self});

    other.hear(a_.self, beat, kStart + 100ms);
    later.hear(a_.self, beat, kStart + 100ms);

    EXPECT_EQ(other.core.counters().unopened, 1U);
    EXPECT_EQ(later.core.counters().unopened, 1U);
}

TEST_F(WatchRingTest, AnOldLifeOfASenderIsNoPeer) {
    const auto beat = heartbeat_of_a();
    Peer restarted = a_.self;
    restarted.epoch = 12;
    b_.know({restarted});

    b_.hear(a_.self, beat, kStart + 100ms);

    EXPECT_EQ(b_.core.counters().unknown_sender, 1U);
}

TEST_F(WatchRingTest, TheNewLifeOfAPeerIsHeardOnceGossipTellsItsEpoch) {
    b_.hear(a_.self, heartbeat_of_a(), kStart + 100ms);
    Node again("a", 1, 12, keys("k"));
    again.know({b_.self});

    b_.know({again.self}, kStart + 100ms);
    const auto beat = again.run(kStart + 100ms, b_.self).front();

    EXPECT_TRUE(b_.hear(again.self, beat, kStart + 110ms).empty());
    EXPECT_EQ(b_.core.watched(), std::vector<std::string>{"a"});
}

TEST_F(WatchRingTest, APeerThatGossipLostForAWhileIsHeardAgainButNotItsOldPackets) {
    const auto first = heartbeat_of_a();
    b_.hear(a_.self, first, kStart + 100ms);
    for (Node* node : {&a_, &b_}) {
        node->know({}, kStart + 100ms);
    }
    a_.know({b_.self}, kStart + 100ms);
    b_.know({a_.self}, kStart + 100ms);

    b_.hear(a_.self, first, kStart + 150ms);
    EXPECT_EQ(b_.core.counters().replayed, 1U);
    for (const auto& packet : a_.run(kStart + 300ms, b_.self)) {
        EXPECT_TRUE(b_.hear(a_.self, packet, kStart + 200ms).empty());
    }
    EXPECT_EQ(b_.core.watched(), std::vector<std::string>{"a"});
}

TEST_F(WatchRingTest, ANodeSaysHowItSeesTheOtherInEveryPacket) {
    b_.hear(a_.self, heartbeat_of_a(), kStart + 100ms);
    Actions ignored;
    // b misses a and, being its only watcher, decides.
    const auto news = b_.run(kStart + 400ms, a_.self);
    EXPECT_TRUE(b_.core.unreachable().contains("a"));

    a_.hear(b_.self, news.back(), kStart + 400ms);

    EXPECT_TRUE(a_.core.unreachable().contains("a"));
}

TEST_F(WatchRingTest, AnAnswerGoesToTheKnownAddressWhateverTheSource) {
    b_.hear(a_.self, heartbeat_of_a(), kStart + 100ms);
    wire::Bytes probe;
    for (const auto& packet : b_.run(kStart + 330ms, a_.self)) {
        if (packet.size() == kHeader + 6 + kTag) {
            probe = packet;
        }
    }
    Actions out;
    a_.core.on_packet(endpoint(999), probe, kStart + 330ms, out);

    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(std::get<SendPacket>(out.front()).to, b_.self.address);
}

// b cannot hear a any more, not even that it is released; a has another watcher, who hears it.
TEST(OldWatcherTest, ItsVerdictEndsWhenTheWatcherOfTodayHearsTheNode) {
    Node a("a", 1, 11, keys("k"), 1);
    Node b("b", 2, 22, keys("k"), 1);
    a.know({b.self});
    b.know({a.self});
    b.hear(a.self, a.run(kStart + 100ms, b.self).front(), kStart + 100ms);
    std::unique_ptr<Node> c;
    for (int i = 0; a.core.watchers() != std::vector<std::string>{"c" + std::to_string(i - 1)};
         ++i) {
        c = std::make_unique<Node>("c" + std::to_string(i), 3, 33, keys("k"), 1);
        a.know({b.self, c->self}, kStart + 110ms);
    }
    b.know({a.self, c->self}, kStart + 110ms);
    c->know({a.self, b.self}, kStart + 110ms);
    c->run(kStart + 400ms, a.self);
    for (const auto& packet : a.run(kStart + 400ms, c->self)) {
        c->hear(a.self, packet, kStart + 400ms);
    }
    const auto verdicts = b.run(kStart + 400ms, c->self);
    ASSERT_TRUE(b.core.unreachable().contains("a"));
    ASSERT_FALSE(verdicts.empty());

    for (const auto& packet : verdicts) {
        for (const Action& action : c->hear(b.self, packet, kStart + 400ms)) {
            if (const auto* answer = std::get_if<SendPacket>(&action)) {
                EXPECT_EQ(answer->to, b.self.address);
                b.hear(c->self, answer->bytes, kStart + 400ms);
            }
        }
    }

    EXPECT_TRUE(b.core.unreachable().empty());
    EXPECT_TRUE(b.core.watched().empty());
}

TEST_F(WatchRingTest, WithoutKeysTheFormatIsTheSame) {
    Node a("a", 1, 11, {});
    Node b("b", 2, 22, {});
    a.know({b.self});
    b.know({a.self});

    const auto beat = a.run(kStart + 100ms, b.self).front();

    EXPECT_TRUE(b.hear(a.self, beat, kStart + 100ms).empty());
}

TEST_F(WatchRingTest, ALongNameWorks) {
    Node longest(std::string(kMaxName, 'n'), 3, 33, keys("k"));
    longest.know({b_.self});
    b_.know({longest.self});

    const auto beat = longest.run(kStart + 100ms, b_.self).front();

    EXPECT_TRUE(b_.hear(longest.self, beat, kStart + 100ms).empty());
}

TEST_F(WatchRingTest, AloneTheLeaseIsUnlimited) {
    EXPECT_LT(a_.core.lease(), kStart + 1s);
    a_.know({});
    EXPECT_EQ(a_.core.lease(), Instant::max());
    EXPECT_EQ(a_.core.next_deadline(), Instant::max());
}

TEST_F(WatchRingTest, OurselvesAmongThePeersAreSkipped) {
    a_.know({a_.self, b_.self, b_.self});

    EXPECT_EQ(a_.core.watchers(), std::vector<std::string>{"b"});
}

TEST(RingConfigTest, EveryBoundIsOneClearLine) {
    const auto why = [](Config config) {
        const auto valid = validate(config);
        return valid ? "" : valid.error().context;
    };
    EXPECT_EQ(why({"a", 1, {}, 100ms, 3}), "");
    EXPECT_EQ(why({"", 1, {}, 100ms, 3}), "watch ring: name of 0 bytes, accepted are 1 to 253");
    EXPECT_EQ(
        why({"a", 1, {}, 1001ms, 3}), "watch ring: interval 1001000us, accepted are 10ms to 1s"
    );
    EXPECT_EQ(why({"a", 1, {}, 100ms, 8}), "watch ring: 8 watchers, accepted are 1 to 7");
}

}  // namespace
}  // namespace steelyard::ring
