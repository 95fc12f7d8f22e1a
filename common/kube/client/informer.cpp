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

// Performs one request of the core to its end.
awaitable<void> exchange(
    KubeApi& api, std::string target, ListWatch& core, ActionCarrier& carrier
) {
    WatchActions actions;
    auto response = co_await api.stream(std::move(target));
    if (!response) {
        core.on_closed(response.error(), now(), actions);
        carrier.apply(actions);
        co_return;
    }
    ResponseHead head;
    head.status = response->status;
    head.retry_after = response->retry_after;
    head.content_type = response->content_type;
    core.on_response(std::move(head), now(), actions);
    carrier.apply(actions);
    while (!core.closed()) {
        const Instant due = core.deadline();
        auto bytes = co_await response->body->next(due - now());
        if (!bytes && now() >= due) {
            core.on_deadline(now(), actions);
        } else if (!bytes) {
            core.on_closed(bytes.error(), now(), actions);
        } else if (bytes->empty()) {
            core.on_closed(std::nullopt, now(), actions);
        } else {
            core.on_bytes(*bytes, now(), actions);
        }
        carrier.apply(actions);
    }
}

}  // namespace

awaitable<void> run_list_watch(
    KubeApi& api, Collection collection, ObjectSink& sink, WatchErrorCallback on_error, Rng rng
) {
    ListWatch core(path_of(collection), selectors_of(collection), rng);
    ActionCarrier carrier(sink, std::move(on_error));
    for (;;) {
        WatchStep step = core.next(now());
        if (const auto* wait = std::get_if<WaitUntil>(&step)) {
            co_await rt::sleep_until(wait->due);
        } else {
            std::string target = std::move(std::get<OpenStream>(step).target);
            co_await exchange(api, std::move(target), core, carrier);
        }
    }
}

}  // namespace steelyard::kube
