#include "e2e/apiserver/api/call.hpp"
#include "e2e/apiserver/api/list_options.hpp"
#include "e2e/apiserver/conversion/conversion.hpp"

// Lists: which state they show, page after page of one state, as objects or as a Table.
namespace steelyard::apiserver {

namespace {

const char* const kTokenExpired =
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list.";

}  // namespace

Outcome<Api::Snapshot> Api::snapshot_for(const Query& query) const {
    const auto options = parse_list_options(query);
    if (!options) {
        return options.error();
    }
    Snapshot snapshot;
    snapshot.limit = options->limit;
    snapshot.version = store_.version();
    if (!options->continue_token.empty()) {
        const auto place = parse_continue(options->continue_token);
        if (!place) {
            return bad_request("continue key is not valid: \"" + options->continue_token + "\"");
        }
        if (place->version != 0 && !store_.remembers(place->version)) {
            Failure failure = expired(kTokenExpired);
            failure.continuation = format_continue({0, place->key});
            return failure;
        }
        snapshot.version = place->version == 0 ? store_.version() : place->version;
        snapshot.after = place->key;
        return snapshot;
    }
    if (options->version > store_.version()) {
        return version_too_large(options->version, store_.version());
    }
    if (options->freshness == Freshness::Any) {
        snapshot.version = cached_version();
    } else if (options->freshness == Freshness::Exact) {
        if (!store_.remembers(options->version)) {
            return expired("The resourceVersion for the provided list is too old.");
        }
        snapshot.version = options->version;
    }
    return snapshot;
}

std::uint64_t Api::cached_version() const {
    return cache_version_ && store_.remembers(*cache_version_) ? *cache_version_ : store_.version();
}

std::vector<Object> Api::objects_at(
    std::uint64_t version,
    const std::string& resource,
    const std::string& ns,
    const std::string& after
) const {
    return version == store_.version() ? store_.list(resource, ns, after)
                                       : store_.list_at(version, resource, ns, after);
}

Outcome<ApiReply> Api::list(Call& call) {
    auto selector = selector_of(call);
    if (!selector) {
        return selector.error();
    }
    const auto snapshot = snapshot_for(call.request.query);
    if (!snapshot) {
        return snapshot.error();
    }
    std::vector<Object> chosen;
    std::size_t left = 0;
    for (Object& object :
         objects_at(snapshot->version, call.kind->resource(), call.route.ns, snapshot->after)) {
        if (!selector->matches(*object)) {
            continue;
        }
        if (snapshot->limit > 0 && chosen.size() == snapshot->limit) {
            ++left;
            continue;
        }
        chosen.push_back(std::move(object));
    }
    Json metadata{{"resourceVersion", std::to_string(snapshot->version)}};
    if (left > 0) {
        metadata["continue"] = format_continue({snapshot->version, object_key(*chosen.back())});
        // What a selector would still leave out the real server does not count either.
        if (selector->empty()) {
            metadata["remainingItemCount"] = left;
        }
    }
    return list_reply(call, chosen, std::move(metadata));
}

Outcome<ApiReply> Api::list_reply(
    const Call& call, const std::vector<Object>& objects, Json metadata
) const {
    const auto format = table_format(call.request);
    const std::string& version = call.route.version;
    auto shown = convert(*call.kind, version, objects, store_, call.exchange);
    if (!shown) {
        return shown.error();
    }
    Json items = Json::array();
    for (Json& object : *shown) {
        items.push_back(
            format ? table_row(*call.kind, version, object, *format, call.now) : std::move(object)
        );
    }
    Json list;
    if (format) {
        list = table(
            table_columns(*call.kind, version), std::move(items), std::move(metadata), *format
        );
    } else {
        list = Json{
            {"kind", call.kind->name + "List"},
            {"apiVersion", call.kind->api_version(version)},
            {"metadata", std::move(metadata)},
            {"items", std::move(items)}};
    }
    ApiReply out;
    out.body = dump(list);
    return out;
}

}  // namespace steelyard::apiserver
