#include "e2e/apiserver/api/call.hpp"

#include <algorithm>
#include <charconv>

namespace steelyard::apiserver {

namespace {

std::optional<std::uint64_t> number(const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

Failure too_large(std::uint64_t wanted, std::uint64_t current) {
    Failure failure;
    failure.code = 504;
    failure.reason = "Timeout";
    failure.message = "Too large resource version: " + std::to_string(wanted) +
                      ", current: " + std::to_string(current);
    failure.details = Json{
        {"causes",
         Json::array(
             {{{"reason", "ResourceVersionTooLarge"}, {"message", "Too large resource version"}}}
         )}};
    failure.retry_after = 1;
    return failure;
}

// A continue token is the version of the first page and the last key shown, in hex.
std::string continue_token(std::uint64_t version, const std::string& key) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string out = std::to_string(version) + "z";
    for (const char c : key) {
        const auto byte = static_cast<unsigned char>(c);
        out.push_back(kHex[byte >> 4U]);
        out.push_back(kHex[byte & 15U]);
    }
    return out;
}

struct Place {
    std::uint64_t version = 0;
    std::string key;
};

std::optional<Place> parse_continue(const std::string& token) {
    const std::size_t end = token.find('z');
    const auto version = number(token.substr(0, end));
    if (end == std::string::npos || !version || (token.size() - end - 1) % 2 != 0) {
        return std::nullopt;
    }
    Place place;
    place.version = *version;
    for (std::size_t i = end + 1; i < token.size(); i += 2) {
        unsigned byte = 0;
        if (std::from_chars(&token[i], &token[i] + 2, byte, 16).ptr != &token[i] + 2) {
            return std::nullopt;
        }
        place.key.push_back(static_cast<char>(byte));
    }
    return place;
}

}  // namespace

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
    const Object object = store_.get(call.kind->resource(), call.key());
    if (object == nullptr) {
        return not_found(call.subject());
    }
    return reply(call, 200, *object);
}

Outcome<ApiReply> Api::list(Call& call) {
    auto selector = selector_of(call);
    if (!selector) {
        return selector.error();
    }
    const Query& query = call.request.query;
    std::uint64_t version = store_.version();
    const auto wanted = number(query_text(query, "resourceVersion"));
    if (wanted && *wanted > version) {
        return too_large(*wanted, version);
    }
    Place start;
    const std::string token = query_text(query, "continue");
    if (!token.empty()) {
        const auto place = parse_continue(token);
        if (!place) {
            return bad_request("continue key is not valid: \"" + token + "\"");
        }
        if (!store_.remembers(place->version)) {
            return expired(
                "The provided continue parameter is too old to display a consistent list result."
            );
        }
        start = *place;
        version = start.version;
    }
    const std::size_t limit = number(query_text(query, "limit")).value_or(0);
    const auto format = table_format(call.request);
    const std::string& api_version = call.route.version;
    Json items = Json::array();
    Json metadata{{"resourceVersion", std::to_string(version)}};
    std::string last;
    std::size_t left = 0;
    for (const Object& object : store_.list(call.kind->resource(), call.route.ns, start.key)) {
        if (!selector->matches(*object)) {
            continue;
        }
        if (limit > 0 && items.size() == limit) {
            ++left;
            continue;
        }
        Json shown = in_version(*call.kind, api_version, *object);
        items.push_back(
            format ? table_row(*call.kind, api_version, shown, *format, call.now) : std::move(shown)
        );
        last = object_key(*object);
    }
    if (left > 0) {
        metadata["continue"] = continue_token(version, last);
        metadata["remainingItemCount"] = left;
    }
    Json list;
    if (format) {
        list = table(
            table_columns(*call.kind, api_version), std::move(items), std::move(metadata), *format
        );
    } else {
        list = Json{
            {"kind", call.kind->name + "List"},
            {"apiVersion", call.kind->api_version(api_version)},
            {"metadata", std::move(metadata)},
            {"items", std::move(items)}};
    }
    ApiReply out;
    out.body = dump(list);
    return out;
}

Outcome<ApiReply> Api::watch(Call& call) {
    auto selector = selector_of(call);
    if (!selector) {
        return selector.error();
    }
    const Query& query = call.request.query;
    const std::string version = query_text(query, "resourceVersion");
    const std::string match = query_text(query, "resourceVersionMatch");
    const std::string initial = query_text(query, "sendInitialEvents");
    WatchRequest request;
    request.resource = call.kind->resource();
    request.version = call.route.version;
    request.ns = call.route.ns;
    request.selector = std::move(*selector);
    request.bookmarks = query_true(query, "allowWatchBookmarks");
    request.table = table_format(call.request);
    request.timeout = std::chrono::seconds(number(query_text(query, "timeoutSeconds")).value_or(0));
    const auto wanted = number(version);
    if (!version.empty() && !wanted) {
        return bad_request("resourceVersion: Invalid value: \"" + version + "\": want a number");
    }
    if (!initial.empty() && match != "NotOlderThan") {
        return bad_request(
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting "
            "resourceVersionMatch to NotOlderThan"
        );
    }
    if (wanted && *wanted > store_.version()) {
        return too_large(*wanted, store_.version());
    }
    if (initial == "true") {
        request.initial_state = true;
        request.initial_end_mark = request.bookmarks;
    } else {
        request.initial_state = wanted.value_or(0) == 0 && initial != "false";
        request.after = wanted.value_or(0) == 0 ? store_.version() : *wanted;
    }
    ApiReply out;
    out.watch = std::move(request);
    return out;
}

}  // namespace steelyard::apiserver
