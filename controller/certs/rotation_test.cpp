#include "common/base/rng.hpp"
#include "controller/certs/bundle.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

// Thirty years of a webhook with three replicas, one of which leads, and of two API servers, on a
// clock of its own: whoever is late by how much, every call would be accepted at every moment.
namespace steelyard::certs {
namespace {

using std::chrono::minutes;
using Days = std::chrono::duration<std::int64_t, std::ratio<86400>>;

constexpr auto kLatestTurn = Days(8);        // of a leader: a certificate has 30 days left then
constexpr auto kLatestRead = Days(12);       // of the Secret by a replica
constexpr auto kLatestNotice = minutes(30);  // of a caBundle by an API server
const std::vector<std::string> kNames = service_names("hook", "ns");

template <class T>
struct Seen {
    T value;
    WallTime current_until{};  // it was still right then
};

class Years {
public:
    explicit Years(std::uint64_t seed) : rng_(seed) {
        write(make_bundle(kNames, policy_, now_).value());
        publish();
        for (auto& replica : replicas_) {
            replica = {secret_, now_};
        }
        for (auto& server : servers_) {
            server = {published_, now_};
        }
    }

    void step() {
        // Minutes count while a new authority spreads, days otherwise.
        const bool spreading = now_ < spreading_until_;
        const std::uint64_t longest = spreading ? 90 : 3 * 24 * 60;
        now_ += minutes(1 + static_cast<std::int64_t>(rng_.below(longest)));
        observe(servers_, published_, kLatestNotice);
        observe(replicas_, secret_, kLatestRead);
        check();
        if (rng_.below(3) == 0 || now_ - led_ > kLatestTurn) {
            lead();
        }
        check();
    }

    [[nodiscard]] WallTime now() const { return now_; }
    [[nodiscard]] unsigned switches() const { return switches_; }
    [[nodiscard]] unsigned leaves() const { return leaves_; }
    [[nodiscard]] std::size_t most_trusted() const { return most_trusted_; }

private:
    // Who looks now or may not be any later sees what is; the others stay where they were.
    template <class T, class Lateness, std::size_t N>
    void observe(std::array<Seen<T>, N>& all, const T& truth, Lateness latest) {
        for (auto& one : all) {
            if (one.value == truth || rng_.below(4) == 0 || now_ - one.current_until > latest) {
                one = {truth, now_};
            }
        }
    }

    void write(const Bundle& bundle) {
        secret_ = to_secret(bundle);
        bundle_ = from_secret(secret_, kNames[0], now_).value();
        ASSERT_TRUE(bundle_ == bundle);
        if (published_ != trusted(bundle_)) {
            published_since_.reset();
            spreading_until_ = now_ + Days(1);
        }
    }

    void publish() {
        if (!published_since_) {
            published_ = trusted(bundle_);
            published_since_ = now_;
        }
    }

    // One turn of the leader; it may be cut off anywhere, and sometimes another one takes over.
    void lead() {
        if (rng_.below(10) == 0 && published_since_) {
            published_since_ = now_;  // a new leader only knows what it sees
        }
        while (rng_.below(8) != 0) {
            const Step step = next_step(bundle_, policy_, published_since_, now_)->step;
            if (step == Step::Keep) {
                publish();
                led_ = now_;
                return;
            }
            write(take(step, bundle_, kNames, policy_, now_).value());
            switches_ += step == Step::Switch ? 1U : 0U;
            leaves_ += step == Step::NewLeaf ? 1U : 0U;
            most_trusted_ = std::max(most_trusted_, split(secret_.at("ca.crt"))->size());
            check();
        }
    }

    void check() {
        for (const auto& replica : replicas_) {
            for (const auto& server : servers_) {
                check(replica.value.at("tls.crt"), server.value);
            }
        }
    }

    // A signature stays right: only the time has to be looked at again.
    void check(const std::string& leaf, const std::string& authorities) {
        const auto [known, is_new] = accepted_.try_emplace({leaf, authorities});
        if (is_new) {
            const auto accepted = verify(leaf, authorities, kNames[0], now_);
            ASSERT_TRUE(accepted) << to_string(accepted.error());
            known->second = validity_of(leaf).value();
        }
        ASSERT_TRUE(known->second.holds(now_)) << "certificate has expired";
    }

    Policy policy_;
    Rng rng_;
    WallTime now_ = std::chrono::system_clock::from_time_t(1800000000);
    WallTime led_ = now_;
    SecretData secret_;
    Bundle bundle_;  // as read from secret_
    WallTime spreading_until_{};
    std::string published_;
    std::optional<WallTime> published_since_;
    std::array<Seen<SecretData>, 3> replicas_;
    std::array<Seen<std::string>, 2> servers_;
    std::map<std::pair<std::string, std::string>, Validity> accepted_;
    unsigned switches_ = 0;
    unsigned leaves_ = 0;
    std::size_t most_trusted_ = 1;
};

class RotationTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RotationTest, NoCallFailsInThirtyYears) {
    Years years(GetParam());
    const WallTime end = years.now() + Days(365 * 30);

    while (years.now() < end && !HasFatalFailure()) {
        years.step();
    }

    EXPECT_GE(years.switches(), 3U);
    EXPECT_GE(years.leaves(), 120U);
    EXPECT_EQ(years.most_trusted(), 2U) << "former authorities must not pile up";
}

INSTANTIATE_TEST_SUITE_P(Seeds, RotationTest, testing::Values(1, 2, 3));

}  // namespace
}  // namespace steelyard::certs
