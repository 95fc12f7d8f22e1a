#pragma once

#include "common/kube/client/api.hpp"
#include "common/kube/model/core.hpp"
#include "common/log/log.hpp"
#include "common/metrics/metrics.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"
#include "common/testing/loop.hpp"

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// An API server in a map: merge patches conditional on the resourceVersion, creates and deletes,
// and a watch that shows an object only when the test says so. Requests can be refused or held.
namespace steelyard::controller::test {

using nlohmann::json;

class FakeApi final : public kube::KubeApi {
public:
    explicit FakeApi(const asio::any_io_executor& executor)
        : executor_(executor), changed_(executor) {}

    // Stores it with a new resourceVersion.
    void put(const std::string& name, json object);
    [[nodiscard]] json& object(const std::string& name) { return objects_[name]; }
    [[nodiscard]] bool has(const std::string& name) const { return objects_.contains(name); }
    // The watch shows the object as it is now, or that it is gone.
    void show(const std::string& name);
    [[nodiscard]] std::shared_ptr<const kube::Service> shown(const kube::ObjectKey& key) const;
    // Until `count` requests were answered.
    awaitable<void> answered(std::size_t count);
    // Until `count` requests are held.
    awaitable<void> holding(std::size_t count);
    void release();

    // "PATCH web/status" and so on, in the order they came.
    std::vector<std::string> requests;
    std::vector<json> bodies;  // of those requests
    // The Error for a request, if any.
    std::function<std::optional<Error>(const std::string& request)> refuse;
    bool hold = false;  // requests wait for release()
    std::size_t most_at_once = 0;

    awaitable<Result<json>> get(kube::ObjectRef ref) override;
    awaitable<Result<json>> patch(kube::ObjectRef ref, kube::PatchType type, json patch) override;
    awaitable<Result<json>> create(kube::ResourceType type, json object) override;
    awaitable<Result<json>> remove(kube::ObjectRef ref, json preconditions) override;
    awaitable<Result<json>> list(kube::Collection collection) override;
    awaitable<Result<json>> update(kube::ObjectRef ref, json object) override;
    awaitable<Result<kube::StreamResponse>> stream(std::string target) override;

private:
    awaitable<std::optional<Error>> arrive(std::string request, json body);
    Result<json> finish(Result<json> answer);

    asio::any_io_executor executor_;
    rt::Signal changed_;
    std::map<std::string, json> objects_;
    std::map<kube::ObjectKey, std::shared_ptr<const kube::Service>> shown_;
    std::list<rt::Signal> held_;
    std::size_t at_once_ = 0;
    std::size_t answered_ = 0;
    int version_ = 0;
};

class NoSink final : public log::Sink {
    void write(log::Level, std::string_view) override {}
};

// What every writer needs, and a group that is joined before it dies.
class Bench {
public:
    Bench();
    // Runs the test beside the group's tasks, then cancels and joins those.
    void run(awaitable<void> test);

    fakes::Loop loop;
    FakeApi api{loop.executor()};
    metrics::Registry registry;
    metrics::CounterFamily& errors = registry.counter("errors", "Failed writes.");
    log::Logger logger{std::make_shared<NoSink>(), log::Level::None, "test"};
    rt::TaskGroup tasks;
};

}  // namespace steelyard::controller::test
