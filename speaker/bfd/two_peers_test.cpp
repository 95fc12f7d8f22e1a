#include "speaker/bfd/session_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <queue>
#include <tuple>

namespace steelyard::bfd {
namespace {

constexpr std::uint64_t kSeeds = 60;

// Two nodes with one session each, joined by a path with delay and loss, on a virtual clock.
class Pair {
public:
    Pair(std::uint64_t seed, Duration delay, double loss)
        : rng_(seed),
          delay_(delay),
          loss_(loss),
          nodes_{{{SessionTable(Rng(rng_.next())), {}}, {SessionTable(Rng(rng_.next())), {}}}} {}

    void configure(std::size_t node, const Profile& profile) {
        SessionConfig config;
        config.key = "s";
        config.remote = address(1 - node);
        config.profile = profile;
        Actions out;
        nodes_[node].table.set_sessions({config}, now_, out);
        carry(node, out);
    }
    void run(Duration duration) {
        const Instant end = now_ + duration;
        for (;;) {
            const Instant next = std::min(
                {nodes_[0].table.next_deadline(),
                 nodes_[1].table.next_deadline(),
                 path_.empty() ? Instant::max() : path_.top().at}
            );
            if (next > end) {
                break;
            }
            now_ = std::max(now_, next);
            deliver();
            for (std::size_t node = 0; node < 2; ++node) {
                Actions out;
                nodes_[node].table.on_deadline(now_, out);
                carry(node, out);
            }
        }
        now_ = end;
    }
    void set_loss(double loss) { loss_ = loss; }
    // Nothing more reaches this node.
    void cut(std::size_t node) { cut_ = node; }

    [[nodiscard]] SessionStatus status(std::size_t node) const {
        return nodes_[node].table.status(nodes_[node].table.keys().front().second);
    }
    [[nodiscard]] bool both_up() const {
        return status(0).state == State::Up && status(1).state == State::Up;
    }
    [[nodiscard]] const std::vector<Changed>& changes(std::size_t node) const {
        return nodes_[node].changes;
    }
    [[nodiscard]] Instant now() const { return now_; }
    [[nodiscard]] std::uint64_t dropped() const {
        std::uint64_t out = 0;
        for (const Node& node : nodes_) {
            for (const std::uint64_t count : node.table.drops()) {
                out += count;
            }
        }
        return out;
    }

private:
    struct Node {
        SessionTable table;
        std::vector<Changed> changes;
    };
    struct Flight {
        Instant at;
        std::uint64_t number = 0;
        std::size_t to = 0;
        PacketBytes bytes{};
        bool operator<(const Flight& other) const {  // the top of the queue is the earliest
            return std::tie(other.at, other.number) < std::tie(at, number);
        }
    };

    static net::IpAddress address(std::size_t node) {
        return net::IpAddress::v4(0x0a090001U + static_cast<std::uint32_t>(node));
    }

    void carry(std::size_t from, const Actions& actions) {
        for (const Action& action : actions) {
            if (const auto* packet = std::get_if<SendControl>(&action)) {
                if (rng_.unit() >= loss_) {
                    path_.push({now_ + delay_, ++number_, 1 - from, packet->bytes});
                }
            } else if (const auto* changed = std::get_if<Changed>(&action)) {
                nodes_[from].changes.push_back(*changed);
            }
        }
    }
    void deliver() {
        while (!path_.empty() && path_.top().at <= now_) {
            const Flight flight = path_.top();
            path_.pop();
            if (flight.to == cut_) {
                continue;
            }
            Arrival arrival;
            arrival.from = address(1 - flight.to);
            arrival.to = address(flight.to);
            arrival.ttl = 255;
            Actions out;
            nodes_[flight.to].table.on_packet(arrival, flight.bytes, now_, out);
            carry(flight.to, out);
        }
    }

    Rng rng_;
    Duration delay_;
    double loss_;
    std::array<Node, 2> nodes_;
    std::priority_queue<Flight> path_;
    std::uint64_t number_ = 0;
    std::size_t cut_ = 2;
    Instant now_{1000s};
};

Profile random_profile(Rng& rng) {
    static constexpr std::array<Duration, 6> kPaces = {10ms, 50ms, 100ms, 300ms, 1s, 2s};
    Profile out;
    out.receive = kPaces[rng.below(kPaces.size())];
    out.transmit = kPaces[rng.below(kPaces.size())];
    out.multiplier = static_cast<std::uint8_t>(2 + rng.below(8));
    return out;
}

class TwoPeersTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(TwoPeersTest, ComeUpInTimeAndNeverFlapWhateverTheirTimers) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    Rng rng(GetParam());
    Pair pair(GetParam(), std::chrono::milliseconds(rng.below(6)), 0);
    Profile profile = random_profile(rng);
    pair.configure(0, profile);
    profile = random_profile(rng);
    profile.passive = rng.below(2) == 0;
    pair.configure(1, profile);

    pair.run(4s);
    EXPECT_TRUE(pair.both_up());
    for (int change = 0; change < 8; ++change) {
        pair.configure(rng.below(2), random_profile(rng));
        pair.run(std::chrono::milliseconds(rng.below(3000)));
    }
    pair.run(10s);

    EXPECT_TRUE(pair.both_up());
    for (std::size_t node = 0; node < 2; ++node) {
        EXPECT_EQ(pair.status(node).counters.downs, 0U);
        EXPECT_EQ(pair.status(node).counters.ups, 1U);
    }
    EXPECT_EQ(pair.dropped(), 0U);
    EXPECT_EQ(pair.status(0).transmit_interval, pair.status(1).receive_interval);
    EXPECT_EQ(pair.status(1).transmit_interval, pair.status(0).receive_interval);
}

TEST_P(TwoPeersTest, NoticeACutWithinTheAgreedDetectionTime) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    Rng rng(GetParam());
    Pair pair(GetParam(), 1ms, 0);
    pair.configure(0, random_profile(rng));
    pair.configure(1, random_profile(rng));
    pair.run(20s);
    ASSERT_TRUE(pair.both_up());
    const Duration detection = pair.status(0).detection_time;
    const Duration interval = pair.status(1).transmit_interval;
    EXPECT_EQ(detection, pair.status(0).remote_multiplier * interval);

    pair.cut(0);
    const Instant cut_at = pair.now();
    pair.run(detection + 10ms);

    const Changed& last = pair.changes(0).back();
    EXPECT_EQ(last.state, State::Down);
    EXPECT_EQ(last.diagnostic, Diagnostic::DetectionTimeExpired);
    EXPECT_LE(last.when - cut_at, detection);
    EXPECT_GE(last.when - cut_at, detection - interval);
    // The path to the other one still works, so it was told why.
    const Changed& told =
        *std::find_if(pair.changes(1).begin(), pair.changes(1).end(), [&](const Changed& change) {
            return change.when > cut_at;
        });
    EXPECT_EQ(told.state, State::Down);
    EXPECT_EQ(told.diagnostic, Diagnostic::NeighborSignaledDown);
    EXPECT_EQ(told.when - last.when, 1ms);
}

TEST_P(TwoPeersTest, ComeUpOverALossyPathAndStayOnceItHealed) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    Rng rng(GetParam());
    Pair pair(GetParam(), std::chrono::milliseconds(rng.below(20)), 0.4);
    pair.configure(0, random_profile(rng));
    pair.configure(1, random_profile(rng));
    pair.run(30s);
    pair.configure(0, random_profile(rng));

    pair.set_loss(0);
    pair.run(60s);
    const auto downs = pair.status(0).counters.downs + pair.status(1).counters.downs;
    pair.run(60s);

    EXPECT_TRUE(pair.both_up());
    EXPECT_EQ(pair.status(0).counters.downs + pair.status(1).counters.downs, downs);
    EXPECT_EQ(pair.status(0).transmit_interval, pair.status(1).receive_interval);
}

INSTANTIATE_TEST_SUITE_P(Seeds, TwoPeersTest, testing::Range<std::uint64_t>(1, 1 + kSeeds));

}  // namespace
}  // namespace steelyard::bfd
