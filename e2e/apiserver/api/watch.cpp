#include "e2e/apiserver/api/watch.hpp"

namespace steelyard::apiserver {

Json in_version(const Kind& kind, const std::string& version, const Json& object) {
    Json out = object;
    out["apiVersion"] = kind.api_version(version);
    out["kind"] = kind.name;
    return out;
}

namespace {

std::string event_line(const char* type, const Json& object) {
    return "{\"type\":\"" + std::string(type) + "\",\"object\":" + dump(object) + "}\n";
}

}  // namespace

std::string Watch::line(const char* type, const Kind& kind, const Json& object, WallTime now)
    const {
    Json shown = in_version(kind, request_.version, object);
    if (request_.table) {
        Json rows = Json::array({table_row(kind, request_.version, shown, *request_.table, now)});
        Json metadata{{"resourceVersion", text_at(object, "metadata.resourceVersion")}};
        shown = table(
            table_columns(kind, request_.version),
            std::move(rows),
            std::move(metadata),
            *request_.table
        );
    }
    return event_line(type, shown);
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

std::string Watch::next(const Store& store, const Registry& registry, WallTime now) {
    std::string out;
    const Kind* kind = registry.find(request_.resource);
    if (over_ || kind == nullptr) {
        over_ = true;
        return out;
    }
    if (!request_.refusal.is_null()) {
        over_ = true;
        return event_line("ERROR", request_.refusal);
    }
    if (!started_) {
        started_ = true;
        if (request_.initial_state) {
            const bool newest = request_.after == store.version();
            const std::vector<Object> state =
                newest ? store.list(request_.resource, request_.ns)
                       : store.list_at(request_.after, request_.resource, request_.ns);
            for (const Object& object : state) {
                if (request_.selector.matches(*object)) {
                    out += line("ADDED", *kind, *object, now);
                }
            }
            if (request_.initial_end_mark) {
                out += mark(*kind, request_.after, true);
            }
            return out;
        }
    }
    changes(store, *kind, now, out);
    return out;
}

void Watch::changes(const Store& store, const Kind& kind, WallTime now, std::string& out) {
    if (!store.remembers(request_.after)) {
        const Failure old = expired(
            "too old resource version: " + std::to_string(request_.after) + " (" +
            std::to_string(store.version()) + ")"
        );
        out += event_line("ERROR", to_status(old));
        over_ = true;
        return;
    }
    store.each_change_after(request_.after, [&](const Change& change) {
        request_.after = change.version;
        if (change.resource != request_.resource) {
            return;
        }
        if (!request_.ns.empty() && text_at(*change.object, "metadata.namespace") != request_.ns) {
            return;
        }
        // An object that enters or leaves the selection is added or deleted for this client.
        const bool before =
            change.previous != nullptr && request_.selector.matches(*change.previous);
        const bool after =
            change.type != ChangeType::Deleted && request_.selector.matches(*change.object);
        if (before || after) {
            const char* type = !after ? "DELETED" : (before ? "MODIFIED" : "ADDED");
            out += line(type, kind, *change.object, now);
        }
    });
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
