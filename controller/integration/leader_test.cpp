#include "common/kube/client/leader.hpp"

#include "common/base/check.hpp"
#include "common/kube/client/http_api.hpp"
#include "common/rt/task_group.hpp"
#include "e2e/apiserver/server/api_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

// The election's driver against the embedded API server, over HTTP: two candidates, each with a
// connection of its own that can be cut.
namespace steelyard::kube {
namespace {

using nlohmann::json;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kLeases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
constexpr const char* kLease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/leader";

// What happens with these happens because somebody was told, not because a timer went off.
ElectionTimings slow() {
    return {hours(3), hours(2), hours(1)};
}
ElectionTimings fast() {
    return {seconds(1), milliseconds(600), milliseconds(100)};
}

// An API whose server may be out of reach.
class CuttableApi final : public KubeApi {
public:
    explicit CuttableApi(std::unique_ptr<KubeApi> api) : api_(std::move(api)) {}

    void cut() { cut_ = true; }

    awaitable<Result<json>> get(ObjectRef ref) override {
        if (cut_) {
            co_return unreachable();
        }
        co_return co_await api_->get(std::move(ref));
    }
    awaitable<Result<json>> list(Collection collection) override {
        if (cut_) {
            co_return unreachable();
        }
        co_return co_await api_->list(std::move(collection));
    }
    awaitable<Result<json>> create(ResourceType type, json object) override {
        if (cut_) {
            co_return unreachable();
        }
        co_return co_await api_->create(type, std::move(object));
    }
    awaitable<Result<json>> update(ObjectRef ref, json object) override {
        if (cut_) {
            co_return unreachable();
        }
        co_return co_await api_->update(std::move(ref), std::move(object));
    }
    awaitable<Result<json>> patch(ObjectRef ref, PatchType type, json patch) override {
        if (cut_) {
            co_return unreachable();
        }
        co_return co_await api_->patch(std::move(ref), type, std::move(patch));
    }
    awaitable<Result<json>> remove(ObjectRef ref, json preconditions) override {
        if (cut_) {
            co_return unreachable();
        }
        co_return co_await api_->remove(std::move(ref), std::move(preconditions));
    }
    awaitable<Result<StreamResponse>> stream(std::string target) override {
        if (cut_) {
            co_return unreachable();
        }
        co_return co_await api_->stream(std::move(target));
    }

private:
    static Error unreachable() { return make_error(Errc::Unavailable, "cut"); }

    std::unique_ptr<KubeApi> api_;
    bool cut_ = false;
};

struct Candidate {
    std::unique_ptr<CuttableApi> api;
    std::unique_ptr<LeaderElection> election;
    std::unique_ptr<rt::TaskGroup> tasks;
    Duration slept{};  // what its clock is ahead
    int elected = 0;
    std::optional<LostReason> lost;
    std::string holder;
    std::optional<bool> released;
    int failures = 0;
    int recoveries = 0;
};

class LeaderElectionTest : public testing::Test {
protected:
    LeaderElectionTest() {
        auto server = apiserver::ApiServer::listen(ioc_.get_executor(), {});
        SY_CHECK(server.has_value(), "the test's API server must listen");
        server_ = std::move(*server);
        server_task_.spawn("api server", server_->run());
    }
    ~LeaderElectionTest() override {
        for (Candidate* candidate : {&a, &b}) {
            end(*candidate);
        }
        asio::post(ioc_, [this] { server_task_.cancel(); });
        EXPECT_TRUE(until([&] { return server_task_.size() == 0; }));
    }

    void start(Candidate& candidate, const std::string& identity, const ElectionTimings& timings) {
        ClientConfig config;
        config.host = "127.0.0.1";
        config.port = server_->port();
        config.tls = false;
        auto client = HttpKubeApi::make(config);
        SY_CHECK(client.has_value(), "a plain client needs no files");
        candidate.api = std::make_unique<CuttableApi>(std::move(*client));
        LeaderCallbacks callbacks;
        callbacks.on_elected = [this, &candidate] {
            ++candidate.elected;
            two_led_ = two_led_ || (leads(a) && leads(b));
        };
        callbacks.on_lost = [&candidate](LostReason reason) {
            candidate.lost = reason;
        };
        callbacks.on_holder = [&candidate](const std::string& holder) {
            candidate.holder = holder;
        };
        callbacks.on_error = [&candidate](const Error* error) {
            ++(error != nullptr ? candidate.failures : candidate.recoveries);
        };
        LeaderOptions options;
        options.lease = {"default", "leader"};
        options.identity = identity;
        options.timings = timings;
        options.clock = [&candidate] {
            return std::chrono::steady_clock::now() + candidate.slept;
        };
        candidate.election = std::make_unique<LeaderElection>(
            ioc_.get_executor(), *candidate.api, std::move(callbacks), std::move(options)
        );
        candidate.tasks = std::make_unique<rt::TaskGroup>(
            ioc_.get_executor(),
            [](const std::string&, std::exception_ptr error) {
                EXPECT_TRUE(!error || rt::is_cancellation(error)) << rt::describe(error);
            }
        );
        candidate.tasks->spawn("election", candidate.election->run());
    }
    // As a crash: nothing is released.
    void end(Candidate& candidate) {
        if (candidate.tasks) {
            // On the loop: emitted outside, the signal might outlive a task that just ends.
            asio::post(ioc_, [&candidate] { candidate.tasks->cancel(); });
            EXPECT_TRUE(until([&] { return candidate.tasks->size() == 0; }));
        }
    }
    void release(Candidate& candidate) {
        const auto task = [](Candidate& one) -> awaitable<void> {
            one.released = co_await one.election->release();
        };
        candidate.tasks->spawn("release", task(candidate));
    }
    [[nodiscard]] static bool leads(const Candidate& candidate) {
        return candidate.election && candidate.election->leading();
    }
    // Starts both; the first leads, and the second knows.
    void start_both(const ElectionTimings& timings) {
        start(a, "a_1", timings);
        ASSERT_TRUE(until([&] { return leads(a); }));
        start(b, "b_1", timings);
        ASSERT_TRUE(until([&] { return b.holder == "a_1" && server_->watches() == 2; }));
    }

    [[nodiscard]] bool until(const std::function<bool()>& condition) {
        const auto guard = std::chrono::steady_clock::now() + seconds(20);
        while (!condition()) {
            if (ioc_.stopped()) {
                ioc_.restart();
            }
            ioc_.run_one_until(guard);
            if (std::chrono::steady_clock::now() >= guard) {
                return false;
            }
        }
        return true;
    }
    json call(const std::string& method, const std::string& path, const json& body = json()) {
        apiserver::ApiRequest request;
        request.method = method;
        request.path = path;
        request.content_type =
            method == "PATCH" ? "application/merge-patch+json" : "application/json";
        request.accept = "application/json";
        request.body = body.is_null() ? std::string() : body.dump();
        request.user = {"admin", {"system:masters"}};
        return json::parse(server_->call(std::move(request)).body, nullptr, false);
    }
    json record() { return call("GET", kLease).value("spec", json::object()); }

    asio::io_context ioc_{1};
    std::unique_ptr<apiserver::ApiServer> server_;
    rt::TaskGroup server_task_{ioc_.get_executor(), [](const std::string&, std::exception_ptr) {
                               }};
    Candidate a;
    Candidate b;
    bool two_led_ = false;
};

TEST_F(LeaderElectionTest, FirstOneLeadsAndTheOtherWaits) {
    start_both(slow());

    EXPECT_EQ(b.elected, 0);
    const json spec = record();
    EXPECT_EQ(spec["holderIdentity"], "a_1");
    EXPECT_EQ(spec["leaseDurationSeconds"], 3 * 3600);
    EXPECT_EQ(spec["leaseTransitions"], 0);
    EXPECT_EQ(spec["acquireTime"], spec["renewTime"]);
}

TEST_F(LeaderElectionTest, ReleasedLeaseIsTakenBecauseItIsWatched) {
    start_both(slow());

    release(a);

    ASSERT_TRUE(until([&] { return leads(b) && a.released.has_value(); }));
    EXPECT_TRUE(*a.released);
    EXPECT_EQ(a.lost, LostReason::Released);
    EXPECT_FALSE(two_led_);
    EXPECT_EQ(record()["holderIdentity"], "b_1");
    EXPECT_EQ(record()["leaseTransitions"], 1);
    EXPECT_TRUE(until([&] { return a.tasks->size() == 0; }));  // run() ended by itself
}

TEST_F(LeaderElectionTest, ReleaseLeavesWhatClientGoLeaves) {
    start(a, "a_1", slow());
    ASSERT_TRUE(until([&] { return leads(a); }));

    release(a);

    ASSERT_TRUE(until([&] { return a.released.has_value(); }));
    EXPECT_EQ(record()["holderIdentity"], "");
    EXPECT_EQ(record()["leaseDurationSeconds"], 1);
}

TEST_F(LeaderElectionTest, ReleaseOfOneWhoDoesNotLeadWritesNothing) {
    start_both(slow());
    const json before = call("GET", kLease);

    release(b);

    ASSERT_TRUE(until([&] { return b.released.has_value(); }));
    EXPECT_TRUE(*b.released);
    EXPECT_EQ(call("GET", kLease), before);
    EXPECT_TRUE(leads(a));
}

TEST_F(LeaderElectionTest, LeaderWhoseConnectionIsCutStopsBeforeTheOtherBegins) {
    start_both(fast());

    a.api->cut();

    ASSERT_TRUE(until([&] { return leads(b); }));
    EXPECT_FALSE(two_led_);
    EXPECT_EQ(a.lost, LostReason::RenewDeadline);
}

TEST_F(LeaderElectionTest, CrashedLeaderIsReplaced) {
    start_both(fast());

    end(a);

    EXPECT_TRUE(until([&] { return leads(b); }));
}

TEST_F(LeaderElectionTest, RestartOfTheServerCostsNoLeadership) {
    start_both(fast());
    const json before = record()["renewTime"];

    server_->restart();

    ASSERT_TRUE(until([&] { return record()["renewTime"] != before && server_->watches() == 2; }));
    EXPECT_TRUE(leads(a));
    EXPECT_EQ(a.elected, 1);
    EXPECT_EQ(b.elected, 0);
}

TEST_F(LeaderElectionTest, LeaseDeletedByHandIsMadeAgainByItsLeader) {
    start_both(slow());

    (void)call("DELETE", kLease);

    ASSERT_TRUE(until([&] { return record().value("holderIdentity", "") == "a_1"; }));
    EXPECT_TRUE(leads(a));
    EXPECT_EQ(b.elected, 0);
}

TEST_F(LeaderElectionTest, LeaseGivenToSomebodyByHandEndsTheLeader) {
    start_both(slow());

    (void)call("PATCH", kLease, json::parse(R"({"spec":{"holderIdentity":"somebody"}})"));

    ASSERT_TRUE(until([&] { return a.lost.has_value(); }));
    EXPECT_EQ(a.lost, LostReason::Taken);
    EXPECT_FALSE(leads(a));
    EXPECT_FALSE(leads(b));
}

TEST_F(LeaderElectionTest, LeaseMadeByHandBeforehandIsTaken) {
    (void)call("POST", kLeases, json::parse(R"({"metadata":{"name":"leader"}})"));

    start(a, "a_1", slow());

    EXPECT_TRUE(until([&] { return leads(a); }));
    EXPECT_EQ(record()["holderIdentity"], "a_1");
}

TEST_F(LeaderElectionTest, LeaderThatSleptDoesNotLeadOn) {
    start_both(slow());

    a.slept = hours(2);  // as its clock says when the machine wakes up

    EXPECT_FALSE(leads(a));  // before anything ran
}

TEST_F(LeaderElectionTest, FailuresAreToldOnceAndSoIsTheEnd) {
    apiserver::FaultRule rule;
    rule.resource = "leases";
    rule.verb = "get";
    rule.count = 3;
    rule.status = 500;
    server_->faults().add(rule);
    start(a, "a_1", fast());

    ASSERT_TRUE(until([&] { return leads(a); }));
    EXPECT_EQ(a.failures, 1);
    EXPECT_EQ(a.recoveries, 1);
}

}  // namespace
}  // namespace steelyard::kube
