#include "common/kube/lease/elector.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

// Electors against a small API server on one virtual time line. Requests and answers take time and
// get lost (a write whose answer is lost has happened, or happens later), watches lag and break,
// processes pause, crash and are replaced, clocks run at different rates, and people delete and
// edit the Lease.
namespace steelyard::kube {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

using Time = std::chrono::nanoseconds;  // of the world, from its beginning

struct Faults {
    double loss = 0;                    // of a request, and of an answer
    Time latency = milliseconds(20);    // at most, one way
    Time watch_lag = milliseconds(20);  // at most
    double watch_breaks = 0;            // chance that an event is not seen until much later
    double skew = 1;                    // quickest clock over slowest
    double pauses = 0;                  // chance of one per process and second
    double crashes = 0;                 // likewise; a new process comes instead
    double stops = 0;                   // likewise, after a release
    double hands = 0;                   // chance per second that somebody meddles with the Lease
};

class World {
public:
    World(std::uint64_t seed, std::size_t nodes, const Faults& faults)
        : rng_(seed), faults_(faults) {
        for (std::size_t i = 0; i < nodes; ++i) {
            nodes_.push_back(std::make_unique<Node>());
            start(i);
        }
        after(seconds(1), [this] { every_second(); });
    }

    void run_until(Time end) {
        while (!queue_.empty() && queue_.top().at <= end) {
            Event event = queue_.top();
            queue_.pop();
            now_ = std::max(now_, event.at);
            event.act();
        }
        now_ = std::max(now_, end);
    }
    // Runs until it holds; false when it does not within `limit`.
    bool run_until(const std::function<bool()>& condition, Time limit) {
        const Time end = now_ + limit;
        while (!condition()) {
            if (queue_.empty() || queue_.top().at > end) {
                return false;
            }
            run_until(queue_.top().at);
        }
        return true;
    }

    // Those who may act as the leader, each by its own clock.
    [[nodiscard]] std::vector<std::size_t> leaders() const {
        std::vector<std::size_t> list;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (nodes_[i]->elector && nodes_[i]->elector->leading(clocks(i).instant)) {
                list.push_back(i);
            }
        }
        return list;
    }
    [[nodiscard]] bool two_led() const { return two_led_; }
    [[nodiscard]] int elections() const { return elections_; }
    [[nodiscard]] Time now() const { return now_; }
    [[nodiscard]] const std::optional<Lease>& lease() const { return lease_; }
    void quieten() { faults_ = Faults{}; }

    void crash(std::size_t i) { nodes_[i]->elector.reset(); }
    void release(std::size_t i) {
        tell(i, [this, i](ElectionActions& out) { nodes_[i]->elector->release(clocks(i), out); });
    }
    void edit(const std::function<void(std::optional<Lease>&)>& by_hand) {
        by_hand(lease_);
        changed();
    }

private:
    struct Node {
        std::unique_ptr<Elector> elector;
        double rate = 1;
        Time offset{};
        Time paused_until{};
        std::uint64_t life = 0;     // what belongs to an earlier process is not heard
        std::uint64_t wakes = 0;    // only the newest deadline counts
        std::uint64_t request = 0;  // only the answer to the pending request is heard
        Time watch_at{};            // events stay in order
    };
    struct Event {
        Time at;
        std::uint64_t order;
        std::function<void()> act;
        bool operator<(const Event& other) const {
            return std::tie(at, order) > std::tie(other.at, other.order);
        }
    };

    void after(Time delay, std::function<void()> act) {
        queue_.push({now_ + delay, ++order_, std::move(act)});
    }
    [[nodiscard]] Clocks clocks(std::size_t i) const {
        const Node& node = *nodes_[i];
        const double own = static_cast<double>(now_.count()) * node.rate;
        const Time since(static_cast<std::int64_t>(own));
        // The clocks of the day agree on nothing.
        return {
            Instant(node.offset + since),
            WallTime(seconds(1'700'000'000)) + seconds(100) * i + since};
    }
    [[nodiscard]] Time upto(Time most) {
        return Time(
            static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(most.count()))) + 1
        );
    }
    [[nodiscard]] bool chance(double probability) { return rng_.unit() < probability; }

    void start(std::size_t i) {
        Node& node = *nodes_[i];
        ++node.life;
        node.rate = 1 + (faults_.skew - 1) * rng_.unit();
        node.offset = upto(std::chrono::hours(1000));
        node.paused_until = Time::zero();
        node.elector = std::make_unique<Elector>(
            ObjectKey{"ns", "leader"},
            "node" + std::to_string(i) + "_" + std::to_string(node.life),
            ElectionTimings{},
            Rng(rng_.next())
        );
        tell(i, [this, i](ElectionActions& out) {
            nodes_[i]->elector->on_deadline(clocks(i), out);
        });
        notify(i);
    }

    // Lets a process hear something, now or when it wakes up, and does what it says.
    void tell(std::size_t i, std::function<void(ElectionActions&)> what) {
        Node& node = *nodes_[i];
        if (!node.elector) {
            return;
        }
        if (now_ < node.paused_until) {
            const std::uint64_t life = node.life;
            after(node.paused_until - now_, [this, i, life, what = std::move(what)] {
                if (nodes_[i]->life == life) {
                    tell(i, what);
                }
            });
            return;
        }
        ElectionActions out;
        what(out);
        for (ElectionAction& action : out) {
            std::visit([&](auto& one) { carry_out(i, one); }, action);
        }
        arm(i);
    }

    void arm(std::size_t i) {
        Node& node = *nodes_[i];
        const std::uint64_t wake = ++node.wakes;
        if (!node.elector || !node.elector->next_deadline()) {
            return;
        }
        const Duration left = *node.elector->next_deadline() - clocks(i).instant;
        const auto delay = static_cast<std::int64_t>(static_cast<double>(left.count()) / node.rate);
        const std::uint64_t life = node.life;
        after(std::max(Time(delay), Time::zero()) + nanoseconds(1), [this, i, wake, life] {
            if (nodes_[i]->life == life && nodes_[i]->wakes == wake) {
                tell(i, [this, i](ElectionActions& out) {
                    nodes_[i]->elector->on_deadline(clocks(i), out);
                });
            }
        });
    }

    void carry_out(std::size_t i, ReadLease& action) {
        request(i, action.give_up, true, [this]() -> Result<Lease> {
            if (!lease_) {
                return make_error(Errc::NotFound, "");
            }
            return *lease_;
        });
    }
    void carry_out(std::size_t i, CreateLease& action) {
        request(i, action.give_up, false, [this, lease = action.lease]() -> Result<Lease> {
            if (lease_) {
                return make_error(Errc::Conflict, "");
            }
            lease_ = lease;
            changed();
            return *lease_;
        });
    }
    void carry_out(std::size_t i, UpdateLease& action) {
        request(i, action.give_up, false, [this, lease = action.lease]() -> Result<Lease> {
            if (!lease_) {
                return make_error(Errc::NotFound, "");
            }
            if (lease_->meta.resource_version != lease.meta.resource_version) {
                return make_error(Errc::Conflict, "");
            }
            lease_ = lease;
            changed();
            return *lease_;
        });
    }
    void carry_out(std::size_t, const Elected&) {
        ++elections_;
        two_led_ = two_led_ || leaders().size() > 1;
    }
    static void carry_out(std::size_t, const Lost&) {}
    static void carry_out(std::size_t, const HolderChanged&) {}
    void carry_out(std::size_t i, const Released&) {
        const std::uint64_t life = nodes_[i]->life;
        after(upto(seconds(5)), [this, i, life] {
            if (nodes_[i]->life == life) {
                start(i);
            }
        });
    }

    void request(
        std::size_t i, Instant give_up, bool read, const std::function<Result<Lease>()>& apply
    ) {
        Node& node = *nodes_[i];
        const std::uint64_t number = ++node.request;
        const std::uint64_t life = node.life;
        const Duration left = give_up - clocks(i).instant;
        const auto patience =
            static_cast<std::int64_t>(static_cast<double>(left.count()) / node.rate);
        after(std::max(Time(patience), Time::zero()), [this, i, number, life, read] {
            answer(i, number, life, read, make_error(Errc::Timeout, ""));
        });
        if (chance(faults_.loss)) {
            return;
        }
        // Some requests arrive long after their sender gave up.
        const Time way = chance(faults_.loss) ? upto(seconds(20)) : upto(faults_.latency);
        after(way, [this, i, number, life, read, apply] {
            Result<Lease> result = apply();
            if (!chance(faults_.loss)) {
                after(upto(faults_.latency), [this, i, number, life, read, result] {
                    answer(i, number, life, read, result);
                });
            }
        });
    }
    void answer(
        std::size_t i, std::uint64_t number, std::uint64_t life, bool read, Result<Lease> result
    ) {
        if (nodes_[i]->life != life) {
            return;
        }
        tell(i, [this, i, number, read, result = std::move(result)](ElectionActions& out) {
            Node& node = *nodes_[i];
            if (node.request != number) {
                return;
            }
            ++node.request;
            if (read) {
                node.elector->on_read(result, clocks(i), out);
            } else {
                node.elector->on_written(result, clocks(i), out);
            }
        });
    }

    // The Lease is another one now.
    void changed() {
        if (lease_) {
            lease_->meta.resource_version = std::to_string(++version_);
        }
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            notify(i);
        }
    }
    void notify(std::size_t i) {
        Node& node = *nodes_[i];
        const bool breaks = chance(faults_.watch_breaks);
        const Time lag = breaks ? upto(seconds(30)) : upto(faults_.watch_lag);
        node.watch_at = std::max(node.watch_at + nanoseconds(1), now_ + lag);
        const std::uint64_t life = node.life;
        // A watch that broke shows what there is when it works again.
        after(node.watch_at - now_, [this, i, life, breaks, then = lease_] {
            if (nodes_[i]->life == life) {
                const std::optional<Lease> seen = breaks ? lease_ : then;
                tell(i, [this, i, seen](ElectionActions& out) {
                    nodes_[i]->elector->on_watched(seen, clocks(i), out);
                });
            }
        });
    }

    void every_second() {
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            Node& node = *nodes_[i];
            if (chance(faults_.pauses)) {
                node.paused_until = now_ + upto(seconds(40));
            }
            if (chance(faults_.crashes)) {
                node.elector.reset();
                const std::uint64_t life = ++node.life;
                after(upto(seconds(10)), [this, i, life] {
                    if (nodes_[i]->life == life) {
                        start(i);
                    }
                });
            } else if (chance(faults_.stops)) {
                release(i);
            }
        }
        if (chance(faults_.hands)) {
            meddle();
        }
        after(seconds(1), [this] { every_second(); });
    }
    void meddle() {
        if (!lease_ || now_ < seconds(60)) {
            return;  // who never saw it cannot know that it was deleted
        }
        switch (rng_.below(4)) {
            case 0:
                // Once: nothing fences a creation, so that two deletions between which a candidate
                // saw nothing could make two lead.
                if (std::exchange(deleted_, true)) {
                    return;
                }
                lease_.reset();
                break;
            case 1:
                lease_->holder.clear();
                break;
            case 2:  // with one second and no holder it could not be told from a release
                lease_->holder = "somebody";
                lease_->duration = seconds(2);
                break;
            default:
                lease_->meta.labels["by"] = "hand";
                break;
        }
        changed();
    }

    Rng rng_;
    Faults faults_;
    Time now_{};
    std::uint64_t order_ = 0;
    std::priority_queue<Event> queue_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::optional<Lease> lease_;
    std::uint64_t version_ = 0;
    bool deleted_ = false;
    bool two_led_ = false;
    int elections_ = 0;
};

TEST(ElectorPropertyTest, NeverTwoLeadersAndAlwaysOneInTheEnd) {
    Faults faults;
    faults.loss = 0.1;
    faults.latency = seconds(2);
    faults.watch_lag = seconds(3);
    faults.watch_breaks = 0.2;
    faults.skew = 1.49;
    faults.pauses = 0.03;
    faults.crashes = 0.005;
    faults.stops = 0.01;
    int elections = 0;
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed, 2 + seed % 4, faults);
        world.run_until(seconds(600));
        ASSERT_FALSE(world.two_led());
        world.quieten();
        world.run_until(seconds(700));
        ASSERT_FALSE(world.two_led());
        ASSERT_EQ(world.leaders().size(), 1U);
        elections += world.elections();
    }
    EXPECT_GT(elections, 150 * 5);
}

TEST(ElectorPropertyTest, NobodyMakesTwoLeadByEditingTheLease) {
    Faults faults;
    faults.loss = 0.05;
    faults.latency = seconds(1);
    faults.watch_lag = seconds(1);
    faults.watch_breaks = 0.1;
    faults.skew = 1.49;
    faults.pauses = 0.02;
    faults.hands = 0.05;
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed, 3, faults);
        world.run_until(seconds(600));
        ASSERT_FALSE(world.two_led());
        world.quieten();
        world.run_until(seconds(700));
        ASSERT_FALSE(world.two_led());
        ASSERT_EQ(world.leaders().size(), 1U);
    }
}

TEST(ElectorPropertyTest, ReleasedLeaseIsTakenWithinOneObservation) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed, 3, Faults{});
        world.run_until(seconds(60));
        ASSERT_EQ(world.leaders().size(), 1U);
        const std::size_t old = world.leaders().front();

        world.release(old);

        // Five ways of 20 ms: the release, its notice, the write and its answer; a renewal or a
        // look on its way adds two.
        EXPECT_TRUE(world.run_until(
            [&] { return world.leaders().size() == 1 && world.leaders().front() != old; },
            milliseconds(140)
        ));
    }
}

TEST(ElectorPropertyTest, CrashedLeaderIsReplacedWithinTheLeaseAndOneRetry) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed, 3, Faults{});
        world.run_until(seconds(60) + milliseconds(static_cast<int>(37 * seed)));
        ASSERT_EQ(world.leaders().size(), 1U);

        world.crash(world.leaders().front());

        EXPECT_TRUE(world.run_until([&] { return world.leaders().size() == 1; }, seconds(15 + 2)));
    }
}

TEST(ElectorPropertyTest, StableLeaderIsNeverReplacedAndWritesOncePerRetryPeriod) {
    World world(1, 3, Faults{});
    world.run_until(seconds(3600));

    EXPECT_EQ(world.elections(), 1);
    ASSERT_TRUE(world.lease().has_value());
    EXPECT_EQ(world.lease()->transitions, 0);
    EXPECT_NEAR(std::stod(world.lease()->meta.resource_version), 1800, 40);
}

}  // namespace
}  // namespace steelyard::kube
