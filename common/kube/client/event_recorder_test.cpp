#include "common/kube/client/event_recorder.hpp"

#include "common/rt/sleep.hpp"
#include "common/testing/loop.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace steelyard::kube {
namespace {

using namespace std::chrono_literals;

// Keeps Events by name, as the server would.
class EventStore final : public KubeApi {
public:
    awaitable<Result<nlohmann::json>> get(ObjectRef ref) override {
        const auto found = events.find(ref.key().name);
        if (found == events.end()) {
            co_return make_error(Errc::NotFound, "gone");
        }
        co_return found->second;
    }
    awaitable<Result<nlohmann::json>> list(Collection) override { return refuse(); }
    awaitable<Result<nlohmann::json>> create(ResourceType, nlohmann::json object) override {
        const std::string name = object["metadata"]["name"].get<std::string>();
        if (broken) {
            co_return make_error(Errc::Unavailable, "down");
        }
        if (events.contains(name)) {
            co_return make_error(Errc::Conflict, "exists");
        }
        events[name] = object;
        co_return object;
    }
    awaitable<Result<nlohmann::json>> update(ObjectRef, nlohmann::json) override {
        return refuse();
    }
    awaitable<Result<nlohmann::json>> patch(ObjectRef ref, PatchType, nlohmann::json patch)
        override {
        const auto found = events.find(ref.key().name);
        if (found == events.end()) {
            co_return make_error(Errc::NotFound, "gone");
        }
        found->second.merge_patch(patch);
        co_return found->second;
    }
    awaitable<Result<nlohmann::json>> remove(ObjectRef, nlohmann::json) override {
        return refuse();
    }
    awaitable<Result<StreamResponse>> stream(std::string) override {
        co_return make_error(Errc::Unsupported, "not used here");
    }

    std::map<std::string, nlohmann::json> events;
    bool broken = false;

private:
    static awaitable<Result<nlohmann::json>> refuse() {
        co_return make_error(Errc::Unsupported, "not used here");
    }
};

class EventRecorderTest : public testing::Test {
protected:
    void record(const std::string& message, const std::string& service = "web") {
        ObjectReference about;
        about.type = Resource<Service>::kType;
        about.key.ns = "ns";
        about.key.name = service;
        recorder_.record(about, EventType::Normal, "IPAllocated", message);
    }
    // Lets the recorder post what it has.
    void settle() {
        loop_.spawn("recorder", recorder_.run());
        const auto test = []() -> awaitable<void> {
            co_await rt::sleep_for(1ms);
        };
        loop_.run(test());
    }

    fakes::Loop loop_;
    EventStore server_;
    WallTime clock_{1000h};
    int errors_ = 0;
    int full_ = 0;
    EventRecorder recorder_{
        loop_.executor(),
        server_,
        "steelyard-controller",
        [this] { return clock_; },
        [this](const Error&) { ++errors_; },
        [this] {
            ++full_;
        }};
};

TEST_F(EventRecorderTest, RepeatsRaiseTheCountOfOneEvent) {
    record("a");
    settle();
    clock_ += 1min;
    record("a");
    record("a");
    record("b");
    settle();

    ASSERT_EQ(server_.events.size(), 2U);
    std::vector<int> counts;
    for (const auto& [name, event] : server_.events) {
        counts.push_back(event["count"].get<int>());
    }
    EXPECT_THAT(counts, testing::UnorderedElementsAre(3, 1));
}

TEST_F(EventRecorderTest, AnEventOfAFormerRunIsUpdated) {
    record("a");
    settle();
    const std::string name = server_.events.begin()->first;
    EventRecorder second(
        loop_.executor(), server_, "steelyard-controller", [this] { return clock_; }, nullptr
    );
    server_.events[name]["count"] = 7;
    loop_.spawn("second", second.run());
    ObjectReference about;
    about.type = Resource<Service>::kType;
    about.key.ns = "ns";
    about.key.name = "web";
    second.record(about, EventType::Normal, "IPAllocated", "a");
    settle();

    ASSERT_EQ(server_.events.size(), 1U);
    EXPECT_EQ(server_.events[name]["count"], 8);
}

TEST_F(EventRecorderTest, AnEventTheServerForgotIsMadeAgain) {
    record("a");
    settle();
    server_.events.clear();
    record("a");
    settle();

    EXPECT_EQ(server_.events.size(), 1U);
    EXPECT_EQ(errors_, 0);
}

TEST_F(EventRecorderTest, AServerThatIsDownLosesEventsAndNothingElse) {
    server_.broken = true;
    record("a");
    settle();
    EXPECT_EQ(errors_, 1);
    EXPECT_EQ(recorder_.dropped(), 1U);

    server_.broken = false;
    record("a");
    settle();
    EXPECT_EQ(server_.events.size(), 1U);
}

TEST_F(EventRecorderTest, WhileAThousandWaitTheNewestOfAnObjectAndReasonTakesTheOldOnesPlace) {
    for (int i = 0; i < 1500; ++i) {
        record("first", "s" + std::to_string(i));
    }
    for (int i = 0; i < 1500; ++i) {
        record("second", "s" + std::to_string(i));
    }
    settle();

    EXPECT_EQ(recorder_.dropped(), 0U);
    EXPECT_EQ(recorder_.coalesced(), 1500U);
    ASSERT_EQ(server_.events.size(), 1500U);
    for (const auto& [name, event] : server_.events) {
        EXPECT_EQ(event["message"], "second");
        EXPECT_EQ(event["count"], 1);
    }
}

TEST_F(EventRecorderTest, AnEventThatWasPushedAsideIsPostedWhenItComesAgain) {
    for (int i = 0; i < 1000; ++i) {
        record("other", "s" + std::to_string(i));
    }
    record("a");
    record("b");
    record("a");
    settle();

    EXPECT_EQ(recorder_.coalesced(), 2U);
    std::vector<std::string> messages;
    for (const auto& [name, event] : server_.events) {
        if (event["involvedObject"]["name"] == "web") {
            messages.push_back(event["message"].get<std::string>());
        }
    }
    EXPECT_THAT(messages, testing::ElementsAre("a"));
}

TEST_F(EventRecorderTest, WhatWasForgottenIsCountedOnFromTheServersCount) {
    constexpr int kMany = 6000;
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < kMany; ++i) {
            record("a", "s" + std::to_string(i));
        }
        settle();
    }

    EXPECT_EQ(recorder_.dropped(), 0U);
    ASSERT_EQ(server_.events.size(), std::size_t{kMany});
    for (const auto& [name, event] : server_.events) {
        EXPECT_EQ(event["count"], 2);
    }
}

TEST_F(EventRecorderTest, TheQueueIsBoundedAndThatIsToldOnce) {
    for (int i = 0; i < 20'500; ++i) {
        record("a", "s" + std::to_string(i));
    }
    EXPECT_EQ(recorder_.dropped(), 500U);
    EXPECT_EQ(full_, 1);
}

}  // namespace
}  // namespace steelyard::kube
