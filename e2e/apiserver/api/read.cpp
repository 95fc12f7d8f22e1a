#include "e2e/apiserver/api/call.hpp"
#include "e2e/apiserver/api/list_options.hpp"
#include "e2e/apiserver/registry/selectable.hpp"

#include <charconv>

// Reading one object, and where a watch begins.
namespace steelyard::apiserver {

Outcome<Selector> Api::selector_of(const Call& call) const {
    Selector selector;
    auto labels = parse_label_selector(query_text(call.request.query, "labelSelector"));
    if (!labels) {
        return bad_request(labels.error().context);
    }
    auto fields = parse_field_selector(query_text(call.request.query, "fieldSelector"));
    if (!fields) {
        return bad_request(fields.error().context);
    }
    for (const Requirement& field : *fields) {
        const std::string problem = field_label_problem(*call.kind, call.route.version, field.key);
        if (!problem.empty()) {
            return bad_request(problem);
        }
    }
    selector.labels = std::move(*labels);
    selector.fields = std::move(*fields);
    if (!call.route.name.empty()) {
        Requirement name;
        name.key = "metadata.name";
        name.values = {call.route.name};
        selector.fields.push_back(std::move(name));
    }
    return selector;
}

Outcome<ApiReply> Api::get(Call& call) {
    const std::string wanted = query_text(call.request.query, "resourceVersion");
    if (!wanted.empty()) {
        const auto options = parse_list_options({{"resourceVersion", wanted}});
        if (!options) {
            return options.error();
        }
        if (options->version > store_.version()) {
            return version_too_large(options->version, store_.version());
        }
    }
    const Object object = store_.get(call.kind->resource(), call.key());
    if (object == nullptr) {
        return not_found(call.subject());
    }
    return reply(call, 200, *object);
}

Outcome<ApiReply> Api::watch(Call& call) {
    auto selector = selector_of(call);
    if (!selector) {
        return selector.error();
    }
    const Query& query = call.request.query;
    const auto options = parse_watch_options(query, options_.watch_list);
    if (!options) {
        return options.error();
    }
    WatchRequest request;
    request.resource = call.kind->resource();
    request.version = call.route.version;
    request.ns = call.route.ns;
    request.selector = std::move(*selector);
    request.bookmarks = query_true(query, "allowWatchBookmarks");
    request.table = table_format(call.request);
    const std::string timeout = query_text(query, "timeoutSeconds");
    long seconds = 0;
    std::from_chars(timeout.data(), timeout.data() + timeout.size(), seconds);
    request.timeout = std::chrono::seconds(seconds);
    const bool exact = options->freshness == Freshness::Exact;
    // A version from the future is waited for by a plain watch, which says nothing until it has
    // come; one that wants the state first is refused.
    if (!exact && options->version > store_.version()) {
        request.refusal = to_status(version_too_large(options->version, store_.version()));
    }
    request.after = store_.version();
    if (exact) {
        request.after = options->version;
    } else if (options->freshness == Freshness::Any) {
        request.after = cached_version();
    }
    request.initial_state = options->send_initial_events.value_or(!exact);
    request.initial_end_mark = options->send_initial_events.value_or(false) && request.bookmarks;
    ApiReply out;
    out.watch = std::move(request);
    return out;
}

}  // namespace steelyard::apiserver
