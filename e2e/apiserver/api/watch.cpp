#include "e2e/apiserver/api/watch.hpp"

#include "e2e/apiserver/conversion/conversion.hpp"

namespace steelyard::apiserver {

namespace {

std::string event_line(const char* type, const Json& object) {
    return "{\"type\":\"" + std::string(type) + "\",\"object\":" + dump(object) + "}\n";
}

}  // namespace

std::string Watch::line(const char* type, const Kind& kind, const Json& shown, WallTime now) const {
    if (!request_.table) {
        return event_line(type, shown);
    }
    Json rows = Json::array({table_row(kind, request_.version, shown, *request_.table, now)});
    Json metadata{{"resourceVersion", text_at(shown, "metadata.resourceVersion")}};
    return event_line(
        type,
        table(
            table_columns(kind, request_.version),
            std::move(rows),
            std::move(metadata),
            *request_.table
        )
    );
}

std::string Watch::mark(const Kind& kind, std::uint64_t version, bool initial_end) const {
    Json metadata{{"resourceVersion", std::to_string(version)}, {"creationTimestamp", nullptr}};
    if (initial_end) {
        metadata["annotations"] = Json{{"k8s.io/initial-events-end", "true"}};
    }
    Json object{{"kind", kind.name}, {"apiVersion", kind.api_version(request_.version)}};
    if (request_.table) {
        object =
            table(table_columns(kind, request_.version), Json::array(), metadata, *request_.table);
    }
    object["metadata"] = std::move(metadata);
    return event_line("BOOKMARK", object);
}

std::string Watch::lines(
    const std::vector<Event>& events,
    const Kind& kind,
    const Store& store,
    WallTime now,
    Exchange& exchange
) {
    std::string out;
    for (const Event& event : events) {
        // Each by itself, so that answers for one are of use however many follow it.
        const auto shown = convert_one(kind, request_.version, *event.object, store, exchange);
        if (!shown && !exchange.pending()) {
            over_ = true;
            return out + event_line("ERROR", to_status(shown.error()));
        }
        if (shown) {
            out += line(event.type, kind, *shown, now);
        }
    }
    return out;
}

std::vector<Watch::Event> Watch::initial_state(const Store& store) const {
    std::vector<Event> events;
    const bool newest = request_.after == store.version();
    const std::vector<Object> state =
        newest ? store.list(request_.resource, request_.ns)
               : store.list_at(request_.after, request_.resource, request_.ns);
    for (const Object& object : state) {
        if (request_.selector.matches(*object)) {
            events.push_back({"ADDED", object});
        }
    }
    return events;
}

std::string Watch::next(
    const Store& store, const Registry& registry, WallTime now, Exchange& exchange
) {
    const Kind* kind = registry.find(request_.resource);
    if (over_ || kind == nullptr) {
        over_ = true;
        return {};
    }
    if (!request_.refusal.is_null()) {
        over_ = true;
        return event_line("ERROR", request_.refusal);
    }
    const Watch before = *this;
    std::string out;
    if (!started_ && request_.initial_state) {
        started_ = true;
        out = lines(initial_state(store), *kind, store, now, exchange);
        if (request_.initial_end_mark && !over_) {
            out += mark(*kind, request_.after, true);
        }
    } else if (!store.remembers(request_.after)) {
        const Failure old = expired(
            "too old resource version: " + std::to_string(request_.after) + " (" +
            std::to_string(store.version()) + ")"
        );
        over_ = true;
        return event_line("ERROR", to_status(old));
    } else {
        started_ = true;
        out = lines(changes(store), *kind, store, now, exchange);
    }
    if (exchange.pending()) {
        *this = before;
        return {};
    }
    return out;
}

std::vector<Watch::Event> Watch::changes(const Store& store) {
    std::vector<Event> events;
    store.each_change_after(request_.after, [&](const Change& change) {
        request_.after = change.version;
        if (change.resource != request_.resource) {
            return;
        }
        if (!request_.ns.empty() && text_at(*change.object, "metadata.namespace") != request_.ns) {
            return;
        }
        // An object that enters or leaves the selection is added or deleted for this client.
        const bool was_in =
            change.previous != nullptr && request_.selector.matches(*change.previous);
        const bool is_in =
            change.type != ChangeType::Deleted && request_.selector.matches(*change.object);
        if (was_in || is_in) {
            const char* type = !is_in ? "DELETED" : (was_in ? "MODIFIED" : "ADDED");
            events.push_back({type, change.object});
        }
    });
    return events;
}

std::string Watch::bookmark(const Store& store, const Registry& registry) {
    const Kind* kind = registry.find(request_.resource);
    if (!request_.bookmarks || kind == nullptr || !store.remembers(request_.after) ||
        request_.after > store.version()) {
        return {};
    }
    request_.after = store.version();
    return mark(*kind, request_.after, false);
}

}  // namespace steelyard::apiserver
