#include "common/kube/client/informer.hpp"

#include "common/kube/watch/list_watch.hpp"
#include "common/rt/sleep.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <variant>

namespace steelyard::kube {
namespace {

Instant now() {
    return std::chrono::steady_clock::now();
}

std::map<std::string, std::string> selectors_of(const Collection& collection) {
    std::map<std::string, std::string> selectors;
    if (!collection.label_selector().empty()) {
        selectors["labelSelector"] = collection.label_selector();
    }
    if (!collection.field_selector().empty()) {
        selectors["fieldSelector"] = collection.field_selector();
    }
    return selectors;
}

// Carries actions out, and reports failures when they change.
class Applier {
public:
    Applier(ObjectSink& sink, WatchErrorCallback on_error)
        : sink_(sink), on_error_(std::move(on_error)) {}

    void apply(WatchActions& actions) {
        for (const WatchAction& action : actions) {
            std::visit(*this, action);
        }
        actions.clear();
    }

    void operator()(const BeginReplace&) { sink_.begin_replace(); }
    void operator()(const Add& action) { sink_.add(action.object); }
    void operator()(const Remove& action) { sink_.remove(action.object); }
    void operator()(const EndReplace&) { sink_.end_replace(); }
    void operator()(const Put& action) { sink_.put(action.object); }
    void operator()(const Erase& action) { sink_.erase(action.object); }
    void operator()(const Failed& action) {
        if (last_error_ != action.error && on_error_) {
            on_error_(&action.error);
        }
        last_error_ = action.error;
    }
    void operator()(const Recovered&) {
        if (last_error_ && on_error_) {
            on_error_(nullptr);
        }
        last_error_.reset();
    }

private:
    ObjectSink& sink_;
    WatchErrorCallback on_error_;
    std::optional<Error> last_error_;
};

// Performs one request of the core to its end.
awaitable<void> exchange(KubeApi& api, std::string target, ListWatch& core, Applier& applier) {
    WatchActions actions;
    auto response = co_await api.stream(std::move(target));
    if (!response) {
        core.on_closed(response.error(), now(), actions);
        applier.apply(actions);
        co_return;
    }
    ResponseHead head;
    head.status = response->status;
    head.retry_after = response->retry_after;
    head.content_type = response->content_type;
    core.on_response(std::move(head), now(), actions);
    applier.apply(actions);
    while (!core.closed()) {
        auto bytes = co_await response->body->next(core.patience());
        if (!bytes) {
            core.on_closed(bytes.error(), now(), actions);
        } else if (bytes->empty()) {
            core.on_closed(std::nullopt, now(), actions);
        } else {
            core.on_bytes(*bytes, now(), actions);
        }
        applier.apply(actions);
    }
}

}  // namespace

awaitable<void> run_list_watch(
    KubeApi& api, Collection collection, ObjectSink& sink, WatchErrorCallback on_error, Rng rng
) {
    ListWatch core(path_of(collection), selectors_of(collection), rng);
    Applier applier(sink, std::move(on_error));
    for (;;) {
        WatchStep step = core.next(now());
        if (const auto* wait = std::get_if<WaitUntil>(&step)) {
            co_await rt::sleep_until(wait->due);
        } else {
            std::string target = std::move(std::get<OpenStream>(step).target);
            co_await exchange(api, std::move(target), core, applier);
        }
    }
}

ObjectKey key_of(const nlohmann::json& object) {
    const auto text = [&](const char* name) -> std::string {
        const auto metadata = object.is_object() ? object.find("metadata") : object.end();
        if (metadata == object.end() || !metadata->is_object()) {
            return {};
        }
        const auto value = metadata->find(name);
        return value != metadata->end() && value->is_string() ? value->get<std::string>()
                                                              : std::string();
    };
    return ObjectKey{text("namespace"), text("name")};
}

}  // namespace steelyard::kube
