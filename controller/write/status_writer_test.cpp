#include "controller/write/status_writer.hpp"

#include "common/testing/loop.hpp"

#include <gmock/gmock.h>

namespace steelyard::controller {
namespace {

using nlohmann::json;
using testing::ElementsAre;

// Has every Service there is, and refuses to change the one named "refused".
class Api final : public kube::KubeApi {
public:
    Api(rt::Signal& refused, rt::Signal& written) : refused_(refused), written_(written) {}

    awaitable<Result<json>> get(kube::ObjectRef ref) override {
        json object = json::object();
        object["metadata"]["name"] = ref.key().name;
        object["metadata"]["uid"] = "uid";
        object["metadata"]["resourceVersion"] = "1";
        co_return object;
    }
    awaitable<Result<json>> patch(kube::ObjectRef ref, kube::PatchType, json) override {
        patched.push_back(ref.key().name);
        if (ref.key().name == "refused") {
            refused_.notify();
            co_return make_error(Errc::Invalid, "a webhook says no");
        }
        written_.notify();
        co_return json::object();
    }
    awaitable<Result<json>> list(kube::Collection) override { return unused(); }
    awaitable<Result<json>> create(kube::ResourceType, json) override { return unused(); }
    awaitable<Result<json>> update(kube::ObjectRef, json) override { return unused(); }
    awaitable<Result<json>> remove(kube::ObjectRef, json) override { return unused(); }
    awaitable<Result<kube::StreamResponse>> stream(std::string) override {
        co_return make_error(Errc::Unsupported, "not part of this test");
    }

    std::vector<std::string> patched;

private:
    static awaitable<Result<json>> unused() {
        co_return make_error(Errc::Unsupported, "not part of this test");
    }
    rt::Signal& refused_;
    rt::Signal& written_;
};

class NoSink final : public log::Sink {
    void write(log::Level, std::string_view) override {}
};

TEST(StatusWriterTest, RefusedServiceHoldsUpNoOther) {
    fakes::Loop loop;
    rt::Signal refused(loop.executor());
    rt::Signal written(loop.executor());
    Api api(refused, written);
    metrics::Registry registry;
    const log::Logger logger(std::make_shared<NoSink>(), log::Level::None, "test");
    StatusWriter writer(
        loop.executor(),
        api,
        logger,
        registry.counter("errors", "Failed writes."),
        [] { return WallTime{}; },
        1
    );
    controller_plan::Standing standing;
    standing.pool = "x";
    const auto test = [&]() -> awaitable<void> {
        writer.put({"default", "refused"}, "uid", standing);
        co_await refused.wait();
        writer.put({"default", "fine"}, "uid", standing);
        co_await written.wait();
    };

    loop.spawn("writer", writer.run());
    loop.run(test());

    EXPECT_THAT(api.patched, ElementsAre("refused", "fine"));
}

}  // namespace
}  // namespace steelyard::controller
