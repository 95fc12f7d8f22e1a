#include "controller/write/write_test_support.hpp"

#include "common/kube/model/resource.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::controller::test {
namespace {

Result<json> unused() {
    return make_error(Errc::Unsupported, "writers do without");
}

}  // namespace

void FakeApi::put(const std::string& name, json object) {
    object["metadata"]["name"] = name;
    object["metadata"]["namespace"] = "default";
    if (!object["metadata"].contains("uid")) {
        object["metadata"]["uid"] = "uid-" + name;
    }
    object["metadata"]["resourceVersion"] = std::to_string(++version_);
    objects_[name] = std::move(object);
}

void FakeApi::show(const std::string& name) {
    const kube::ObjectKey key{"default", name};
    if (!has(name)) {
        shown_.erase(key);
        return;
    }
    shown_[key] = std::make_shared<const kube::Service>(
        kube::Resource<kube::Service>::decode(objects_[name]).value()
    );
}

std::shared_ptr<const kube::Service> FakeApi::shown(const kube::ObjectKey& key) const {
    const auto found = shown_.find(key);
    return found == shown_.end() ? nullptr : found->second;
}

awaitable<void> FakeApi::answered(std::size_t count) {
    while (answered_ < count) {
        co_await changed_.wait();
    }
}

awaitable<void> FakeApi::holding(std::size_t count) {
    while (held_.size() < count) {
        co_await changed_.wait();
    }
}

void FakeApi::release() {
    hold = false;
    for (rt::Signal& held : held_) {
        held.notify();
    }
}

awaitable<std::optional<Error>> FakeApi::arrive(std::string request, json body) {
    requests.push_back(request);
    bodies.push_back(std::move(body));
    most_at_once = std::max(most_at_once, ++at_once_);
    if (hold) {
        const auto held = held_.emplace(held_.end(), executor_);
        changed_.notify();
        co_await held->wait();
        held_.erase(held);
    }
    co_return refuse ? refuse(request) : std::nullopt;
}

Result<json> FakeApi::finish(Result<json> answer) {
    --at_once_;
    ++answered_;
    changed_.notify();
    return answer;
}

awaitable<Result<json>> FakeApi::get(kube::ObjectRef ref) {
    const std::string& name = ref.key().name;
    const std::optional<Error> refused = co_await arrive("GET " + name, json());
    if (refused) {
        co_return finish(*refused);
    }
    if (!has(name)) {
        co_return finish(make_error(Errc::NotFound, name));
    }
    co_return finish(objects_[name]);
}

awaitable<Result<json>> FakeApi::patch(kube::ObjectRef ref, kube::PatchType, json patch) {
    const std::string name = ref.key().name;
    const std::string request = "PATCH " + name + "/" + ref.subresource();
    const std::optional<Error> refused = co_await arrive(request, patch);
    if (refused) {
        co_return finish(*refused);
    }
    if (!has(name)) {
        co_return finish(make_error(Errc::NotFound, name));
    }
    const json current = objects_[name]["metadata"]["resourceVersion"];
    if (patch["metadata"].contains("resourceVersion") &&
        patch["metadata"]["resourceVersion"] != current) {
        co_return finish(make_error(Errc::Conflict, name));
    }
    json object = objects_[name];
    object.merge_patch(patch);
    put(name, std::move(object));
    co_return finish(objects_[name]);
}

awaitable<Result<json>> FakeApi::create(kube::ResourceType, json object) {
    const std::string name = object["metadata"]["name"];
    const std::optional<Error> refused = co_await arrive("POST " + name, object);
    if (refused) {
        co_return finish(*refused);
    }
    if (has(name)) {
        co_return finish(make_error(Errc::Conflict, name));
    }
    put(name, std::move(object));
    co_return finish(objects_[name]);
}

awaitable<Result<json>> FakeApi::remove(kube::ObjectRef ref, json preconditions) {
    const std::string name = ref.key().name;
    const std::optional<Error> refused = co_await arrive("DELETE " + name, preconditions);
    if (refused) {
        co_return finish(*refused);
    }
    if (!has(name)) {
        co_return finish(make_error(Errc::NotFound, name));
    }
    for (const auto& [field, value] : preconditions.items()) {
        if (objects_[name]["metadata"][field] != value) {
            co_return finish(make_error(Errc::Conflict, name));
        }
    }
    objects_.erase(name);
    co_return finish(json::object());
}

awaitable<Result<json>> FakeApi::list(kube::Collection) {
    co_return unused();
}

awaitable<Result<json>> FakeApi::update(kube::ObjectRef, json) {
    co_return unused();
}

awaitable<Result<kube::StreamResponse>> FakeApi::stream(std::string) {
    co_return unused().error();
}

Bench::Bench() : tasks(loop.executor(), [](const std::string&, const std::exception_ptr&) {}) {}

void Bench::run(awaitable<void> test) {
    const auto whole = [this](awaitable<void> inner) -> awaitable<void> {
        co_await std::move(inner);
        tasks.cancel();
        co_await tasks.join();
    };
    loop.run(whole(std::move(test)));
}

}  // namespace steelyard::controller::test
