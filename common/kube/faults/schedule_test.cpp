#include "common/kube/faults/schedule.hpp"

#include "common/kube/faults/kind_list.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>

// A thousand random schedules a kind. At every step the store has to hold exactly what the server
// had at the version the client believes in, and in the end what the server has.
// SY_SCHEDULE_SEED=n replays one schedule and tells its steps; SY_SCHEDULES=n runs so many.
namespace steelyard::kube::faults {
namespace {

// The sanitizers make each thirty times slower: there it is a sample, and the thousand run
// optimised (scripts/run-tests, stage simulations).
#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t kSchedules = 50;
#else
constexpr std::uint64_t kSchedules = 1000;
#endif

std::uint64_t number_from(const char* variable, std::uint64_t fallback) {
    const char* text = std::getenv(variable);
    std::uint64_t value = fallback;
    if (text != nullptr) {
        std::from_chars(text, text + std::char_traits<char>::length(text), value);
    }
    return value;
}

// A client of one kind, and what it must hold.
template <class T>
class Client {
public:
    explicit Client(ScheduleOptions options)
        : mirror_(callbacks()), schedule_(Resource<T>::kType, mirror_, options) {}

    bool run() {
        return schedule_.run([this] { return right(); }, [this] { return caught_up(); });
    }
    [[nodiscard]] const std::string& wrong() const { return wrong_; }
    [[nodiscard]] std::size_t longest() const { return schedule_.longest(); }

private:
    MirrorCallbacks<T> callbacks() {
        MirrorCallbacks<T> made;
        made.on_change = [this](const Change<T>& change) {
            const bool known = change.after ? known_.insert(change.key).second == false
                                            : known_.erase(change.key) == 1;
            if (known != (change.before != nullptr)) {
                wrong_ = to_string(change.key) + " was told wrongly";
            }
        };
        made.on_synced = [this] {
            ++synced_;
            if (schedule_.version() < schedule_.asked_at()) {
                wrong_ = "the first state is older than the question for it";
            }
        };
        return made;
    }

    // What an object decodes to, null when it does not.
    const T* decoded(const std::shared_ptr<const Stored>& object) {
        const auto [entry, fresh] = decoded_.try_emplace(object);
        if (fresh) {
            if (auto value = Resource<T>::decode(object->object)) {
                entry->second = std::make_unique<const T>(std::move(*value));
            }
        }
        return entry->second.get();
    }

    bool right() {
        if (wrong_.empty() && mirror_.synced()) {
            compare(schedule_.server().state_at(schedule_.version()));
        }
        if (synced_ > 1 || (mirror_.synced() && synced_ == 0)) {
            wrong_ = "synced was told " + std::to_string(synced_) + " times";
        }
        return wrong_.empty();
    }

    void compare(const State& state) {
        const auto& store = mirror_.store().objects();
        for (const auto& [key, object] : state) {
            const T* wanted = decoded(object);
            const auto have = store.find(key);
            if (mirror_.bad_objects().contains(key) != (wanted == nullptr)) {
                wrong_ = to_string(key) + ": told wrongly as one that cannot be read";
            } else if (wanted != nullptr && (have == store.end() || !(*have->second == *wanted))) {
                wrong_ = to_string(key) + " is missing or differs";
            }
        }
        for (const auto& [key, object] : store) {
            if (!state.contains(key)) {
                wrong_ = to_string(key) + " is no more";
            } else if (!known_.contains(key)) {
                wrong_ = to_string(key) + " was never told";
            }
        }
        if (known_.size() != store.size()) {
            wrong_ = "the deletion of an object was never told";
        }
        for (const auto& [key, error] : mirror_.bad_objects()) {
            if (!state.contains(key)) {
                wrong_ = to_string(key) + " is no more, and was never forgotten";
            }
        }
    }

    bool caught_up() {
        if (!mirror_.synced() || schedule_.version() != schedule_.server().version()) {
            return false;
        }
        compare(schedule_.server().state());
        const bool equal = wrong_.empty();
        return equal;
    }

    Mirror<T> mirror_;
    Schedule schedule_;
    std::set<ObjectKey> known_;
    std::map<std::shared_ptr<const Stored>, std::unique_ptr<const T>> decoded_;
    std::string wrong_;
    int synced_ = 0;
};

template <class T>
class FaultSchedules : public testing::Test {};
TYPED_TEST_SUITE(FaultSchedules, WatchedKinds, KindName);

TYPED_TEST(FaultSchedules, TheStoreIsWhatTheServerHadAtEveryVersion) {
    const std::uint64_t replayed = number_from("SY_SCHEDULE_SEED", 0);
    const std::uint64_t schedules = number_from("SY_SCHEDULES", kSchedules);
    for (std::uint64_t i = 1; i <= schedules; ++i) {
        ScheduleOptions options;
        options.seed = replayed != 0 ? replayed : i;
        options.trace = replayed != 0;
        Client<TypeParam> client(options);
        ASSERT_TRUE(client.run()) << "SY_SCHEDULE_SEED=" << options.seed << ": " << client.wrong();
        if (replayed != 0) {
            break;
        }
    }
}

// The same history again and again, broken at each of its bytes in turn.
void break_at_every_byte(Fault fault) {
    for (const bool watch_list : {true, false}) {
        std::size_t length = 1;
        for (std::size_t at = 0; at <= length; ++at) {
            ScheduleOptions options;
            options.seed = 5;
            options.steps = 8;
            options.only = fault;
            options.only_at = at;
            options.watch_list = watch_list;
            Client<Namespace> client(options);
            ASSERT_TRUE(client.run()) << "byte " << at << ": " << client.wrong();
            length = std::max(length, client.longest());
        }
        EXPECT_GT(length, 500U);
    }
}

TEST(EveryByteOfAStream, MayBeItsLast) {
    break_at_every_byte(Fault::End);
}
TEST(EveryByteOfAStream, MayBeTheOneBeforeAReset) {
    break_at_every_byte(Fault::Reset);
}
TEST(EveryByteOfAStream, MayBeTheOneBeforeSilence) {
    break_at_every_byte(Fault::Stall);
}
TEST(EveryByteOfAStream, MayBeTheOneBeforeGarbage) {
    break_at_every_byte(Fault::Garbage);
}

}  // namespace
}  // namespace steelyard::kube::faults
