#include "controller/write/status_writers.hpp"

#include "controller/write/write_test_support.hpp"

#include <gmock/gmock.h>

namespace steelyard::controller {
namespace {

using nlohmann::json;
using testing::ElementsAre;

controller_plan::Standing standing(const std::vector<std::string>& addresses) {
    controller_plan::Standing made;
    for (const std::string& address : addresses) {
        made.addresses.push_back(*net::IpAddress::parse(address));
    }
    made.pool = addresses.empty() ? "" : "x";
    return made;
}

class StatusWritersTest : public testing::Test {
protected:
    void SetUp() override { writers_.start(bench_.tasks); }

    void add(const std::string& name, const char* text = "{}") {
        bench_.api.put(name, json::parse(text));
        bench_.api.show(name);
    }
    void want(const std::string& name, const std::vector<std::string>& addresses) {
        writers_.put({"default", name}, "uid-" + name, standing(addresses));
    }
    [[nodiscard]] json ingress(const std::string& name) {
        return bench_.api.object(name)["status"]["loadBalancer"]["ingress"];
    }

    test::Bench bench_;
    test::FakeApi& api_ = bench_.api;
    StatusWriters writers_{
        bench_.loop.executor(),
        bench_.api,
        bench_.logger,
        bench_.errors,
        [] { return WallTime{}; },
        1,
        [this](const kube::ObjectKey& key) { return bench_.api.shown(key); },
        WindowOptions{},
        [this] {
            return may_write_;
        }};
    bool may_write_ = true;
};

TEST_F(StatusWritersTest, AWriteIsOneRequest) {
    add("web");
    bench_.run([&]() -> awaitable<void> {
        want("web", {"10.0.0.1"});
        co_await api_.answered(1);
    }());

    EXPECT_THAT(api_.requests, ElementsAre("PATCH web/status"));
    EXPECT_EQ(api_.bodies[0]["metadata"]["resourceVersion"], "1");
    EXPECT_EQ(ingress("web"), json::parse(R"([{"ip":"10.0.0.1"}])"));
}

TEST_F(StatusWritersTest, WhatIsThereAlreadyIsNotWritten) {
    add("web", R"({"metadata":{"annotations":{"metallb.io/ip-allocated-from-pool":"x"}},
                   "status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.1"}]}}})");
    add("other");
    bench_.run([&]() -> awaitable<void> {
        want("web", {"10.0.0.1"});
        want("other", {"10.0.0.2"});
        co_await api_.answered(1);
    }());

    EXPECT_THAT(api_.requests, ElementsAre("PATCH other/status"));
}

// MetalLB writes bare {ip} entries and loses what others put beside them (#1733).
TEST_F(StatusWritersTest, WhatOthersWroteStaysWithoutReadingTheObject) {
    constexpr const char* kText = R"({"status":{
        "loadBalancer":{"ingress":[
            {"ip":"10.0.0.1","ipMode":"Proxy","ports":[{"port":80,"protocol":"TCP","error":"e"}]},
            {"hostname":"a.example","future":true}]},
        "conditions":[{"type":"Theirs","status":"Unknown","reason":"R","message":"m",
            "observedGeneration":4,"lastTransitionTime":"2020-01-01T00:00:00Z","future":1}]}})";
    add("web", kText);
    const json before = api_.object("web")["status"];
    bench_.run([&]() -> awaitable<void> {
        controller_plan::Standing wanted = standing({"10.0.0.1", "fd00::1"});
        wanted.ip_mode = "mixed";
        wanted.condition.emplace();
        wanted.condition->type = controller_plan::kConditionType;
        wanted.condition->status = true;
        writers_.put({"default", "web"}, "uid-web", wanted);
        co_await api_.answered(1);
    }());

    EXPECT_THAT(api_.requests, ElementsAre("PATCH web/status"));
    const json after = api_.object("web")["status"];
    EXPECT_EQ(after["loadBalancer"]["ingress"][0], before["loadBalancer"]["ingress"][0]);
    EXPECT_EQ(after["loadBalancer"]["ingress"][2], before["loadBalancer"]["ingress"][1]);
    EXPECT_EQ(after["conditions"][0], before["conditions"][0]);
    EXPECT_EQ(after["conditions"].size(), 2U);
}

TEST_F(StatusWritersTest, AfterAConflictTheObjectIsReadAndWhatChangedStays) {
    add("web");
    api_.put("web", json::parse(R"({"status":{"loadBalancer":{"ingress":[{"hostname":"h"}]}}})"));
    bench_.run([&]() -> awaitable<void> {
        want("web", {"10.0.0.1"});
        co_await api_.answered(3);
    }());

    EXPECT_THAT(api_.requests, ElementsAre("PATCH web/status", "GET web", "PATCH web/status"));
    EXPECT_EQ(ingress("web"), json::parse(R"([{"ip":"10.0.0.1"},{"hostname":"h"}])"));
}

// Built from the version the watch still shows, "nothing to change" would be wrong.
TEST_F(StatusWritersTest, WhatOurOwnWriteReplacedIsReadFromTheServer) {
    add("web");
    bench_.run([&]() -> awaitable<void> {
        want("web", {"10.0.0.1"});
        co_await api_.answered(1);
        want("web", {});
        co_await api_.answered(3);
    }());

    EXPECT_THAT(api_.requests, ElementsAre("PATCH web/status", "GET web", "PATCH web/status"));
    EXPECT_EQ(ingress("web"), json());
}

TEST_F(StatusWritersTest, OnceTheWatchShowsOurWriteOneRequestIsEnoughAgain) {
    add("web");
    bench_.run([&]() -> awaitable<void> {
        want("web", {"10.0.0.1"});
        co_await api_.answered(1);
        api_.show("web");
        want("web", {"10.0.0.2"});
        co_await api_.answered(2);
    }());

    EXPECT_THAT(api_.requests, ElementsAre("PATCH web/status", "PATCH web/status"));
    EXPECT_EQ(ingress("web"), json::parse(R"([{"ip":"10.0.0.2"}])"));
}

TEST_F(StatusWritersTest, AnotherServiceOfThatNameIsLeftAlone) {
    add("web");
    add("gone");
    api_.put("gone", json::parse(R"({"metadata":{"uid":"another"}})"));
    add("last");
    bench_.run([&]() -> awaitable<void> {
        writers_.put({"default", "web"}, "former uid", standing({"10.0.0.1"}));
        want("gone", {"10.0.0.2"});
        co_await api_.answered(2);  // a conflict, and the object shows why
        want("last", {"10.0.0.3"});
        co_await api_.answered(3);
    }());

    EXPECT_EQ(ingress("web"), json());
    EXPECT_EQ(ingress("gone"), json());
}

TEST_F(StatusWritersTest, SeveralGoAtOnceButOneOfAServiceAfterTheOther) {
    for (int i = 0; i < 20; ++i) {
        add("s" + std::to_string(i));
    }
    api_.hold = true;
    bench_.run([&]() -> awaitable<void> {
        for (int i = 0; i < 20; ++i) {
            want("s" + std::to_string(i), {"10.0.0.1"});
        }
        co_await api_.holding(8);
        want("s0", {"10.0.0.2"});
        want("s0", {"10.0.0.3"});  // this one counts
        api_.release();
        co_await api_.answered(22);
    }());

    EXPECT_GE(api_.most_at_once, 8U);
    EXPECT_EQ(ingress("s0"), json::parse(R"([{"ip":"10.0.0.3"}])"));
    EXPECT_EQ(api_.requests[0], "PATCH s0/status");
    EXPECT_EQ(std::count(api_.requests.begin(), api_.requests.end(), "PATCH s0/status"), 2);
    EXPECT_EQ(std::count(api_.requests.begin(), api_.requests.end(), "GET s0"), 1);
}

TEST_F(StatusWritersTest, ARefusedServiceHoldsUpNoOther) {
    add("refused");
    add("fine");
    api_.refuse = [](const std::string& request) -> std::optional<Error> {
        if (request == "PATCH refused/status") {
            return make_error(Errc::Invalid, "a webhook says no");
        }
        return std::nullopt;
    };
    bench_.run([&]() -> awaitable<void> {
        want("refused", {"10.0.0.1"});
        co_await api_.answered(1);
        want("fine", {"10.0.0.2"});
        co_await api_.answered(2);
    }());

    EXPECT_THAT(api_.requests, ElementsAre("PATCH refused/status", "PATCH fine/status"));
}

TEST_F(StatusWritersTest, WhatTheServerHadNoTimeForIsWrittenLater) {
    add("web");
    bool busy = true;
    api_.refuse = [&](const std::string&) -> std::optional<Error> {
        if (std::exchange(busy, false)) {
            return make_error(Errc::TooManyRequests, "later");
        }
        return std::nullopt;
    };
    bench_.run([&]() -> awaitable<void> {
        want("web", {"10.0.0.1"});
        co_await api_.answered(2);
    }());

    EXPECT_EQ(ingress("web"), json::parse(R"([{"ip":"10.0.0.1"}])"));
    EXPECT_EQ(writers_.schedule().window().size(), 4U);
}

TEST_F(StatusWritersTest, AForgottenServiceIsNotWritten) {
    for (int i = 0; i < 10; ++i) {
        add("s" + std::to_string(i));
    }
    api_.hold = true;
    bench_.run([&]() -> awaitable<void> {
        for (int i = 0; i < 10; ++i) {
            want("s" + std::to_string(i), {"10.0.0.1"});
        }
        co_await api_.holding(8);
        writers_.forget({"default", "s8"});
        api_.release();
        co_await api_.answered(9);
    }());

    EXPECT_EQ(ingress("s8"), json());
    EXPECT_EQ(ingress("s9"), json::parse(R"([{"ip":"10.0.0.1"}])"));
}

TEST_F(StatusWritersTest, DrainingEndsWhenAllIsWritten) {
    for (int i = 0; i < 100; ++i) {
        add("s" + std::to_string(i));
    }
    bench_.run([&]() -> awaitable<void> {
        for (int i = 0; i < 100; ++i) {
            want("s" + std::to_string(i), {"10.0.0.1"});
        }
        co_await writers_.drain(Instant::max());
    }());

    EXPECT_EQ(api_.requests.size(), 100U);
    EXPECT_EQ(ingress("s99"), json::parse(R"([{"ip":"10.0.0.1"}])"));
}

TEST_F(StatusWritersTest, DrainingEndsAtItsDeadline) {
    add("web");
    api_.hold = true;
    bench_.run([&]() -> awaitable<void> {
        want("web", {"10.0.0.1"});
        co_await api_.holding(1);
        co_await writers_.drain(std::chrono::steady_clock::now() + std::chrono::milliseconds(1));
    }());

    EXPECT_EQ(ingress("web"), json());
}

// A process that was paused between reading and writing goes on where it was.
TEST_F(StatusWritersTest, NothingIsWrittenBetweenTheEndOfTheLeaseAndLearningOfIt) {
    add("web");
    api_.put("web", json::object());
    bool paused = true;
    api_.refuse = [&](const std::string& request) -> std::optional<Error> {
        if (request == "GET web" && std::exchange(paused, false)) {
            may_write_ = false;
        }
        return std::nullopt;
    };
    bench_.run([&]() -> awaitable<void> {
        want("web", {"10.0.0.1"});
        co_await api_.answered(2);
        co_await writers_.drain(Instant::max());
        EXPECT_THAT(api_.requests, ElementsAre("PATCH web/status", "GET web"));
        EXPECT_EQ(ingress("web"), json());

        may_write_ = true;
        co_await api_.answered(5);
    }());

    EXPECT_EQ(ingress("web"), json::parse(R"([{"ip":"10.0.0.1"}])"));
}

TEST_F(StatusWritersTest, ALostLeaseEndsWhatIsInFlight) {
    add("web");
    add("api");
    api_.hold = true;
    bench_.run([&]() -> awaitable<void> {
        want("web", {"10.0.0.1"});
        want("api", {"10.0.0.2"});
        co_await api_.holding(2);
        bench_.tasks.cancel();
        api_.release();
        co_await bench_.tasks.join();
    }());

    EXPECT_EQ(ingress("web"), json());
    EXPECT_EQ(ingress("api"), json());
}

}  // namespace
}  // namespace steelyard::controller
