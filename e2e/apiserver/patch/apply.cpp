#include "e2e/apiserver/patch/apply.hpp"

#include <algorithm>

namespace steelyard::apiserver {

namespace {

std::string element_key(const Json& element, const ListRule& rule) {
    Json key = Json::object();
    for (const std::string& name : rule.keys) {
        const Json* value = member(element, name);
        if (value != nullptr) {
            key[name] = *value;
        } else if (name == "protocol") {
            key[name] = "TCP";  // the default that makes two spellings of a port the same
        }
    }
    return "k:" + dump(key);
}

std::string list_key(const Json& element, const ListRule& rule) {
    return rule.type == ListType::Map ? element_key(element, rule) : "v:" + dump(element);
}

Json set_of(const Json& value, FieldPath& path, const ListRules& rules) {
    Json out = Json::object();
    if (value.is_object()) {
        for (const auto& [name, child] : value.items()) {
            path.push_back(name);
            out["f:" + name] = set_of(child, path, rules);
            path.pop_back();
        }
    } else if (value.is_array()) {
        const ListRule rule = rules(path);
        if (rule.type == ListType::Atomic) {
            return out;
        }
        for (const Json& element : value) {
            Json inner = Json::object();
            if (rule.type == ListType::Map) {
                inner = set_of(element, path, rules);
                inner["."] = Json::object();
            }
            out[list_key(element, rule)] = std::move(inner);
        }
    }
    return out;
}

// The members of a that are not in b, keeping the structure on the way.
Json difference(const Json& a, const Json& b) {
    Json out = Json::object();
    for (const auto& [name, child] : a.items()) {
        const Json* other = member(b, name);
        if (other == nullptr) {
            out[name] = child;
        } else if (!child.empty()) {
            Json rest = difference(child, *other);
            if (!rest.empty()) {
                out[name] = std::move(rest);
            }
        }
    }
    return out;
}

Json set_union(Json a, const Json& b) {
    for (const auto& [name, child] : b.items()) {
        a[name] = a.contains(name) ? set_union(a[name], child) : child;
    }
    return a;
}

Json merged(const Json& live, const Json& wanted, FieldPath& path, const ListRules& rules) {
    if (wanted.is_object() && live.is_object()) {
        Json out = live;
        for (const auto& [name, child] : wanted.items()) {
            path.push_back(name);
            out[name] = out.contains(name) ? merged(out[name], child, path, rules) : child;
            path.pop_back();
        }
        return out;
    }
    if (!wanted.is_array() || !live.is_array()) {
        return wanted;
    }
    const ListRule rule = rules(path);
    if (rule.type == ListType::Atomic) {
        return wanted;
    }
    Json out = live;
    for (const Json& element : wanted) {
        const std::string key = list_key(element, rule);
        const auto place = std::find_if(out.begin(), out.end(), [&](const Json& candidate) {
            return list_key(candidate, rule) == key;
        });
        if (place == out.end()) {
            out.push_back(element);
        } else {
            *place = merged(*place, element, path, rules);
        }
    }
    return out;
}

void remove_fields(Json& value, const Json& fields, FieldPath& path, const ListRules& rules);

void remove_elements(Json& list, const Json& fields, FieldPath& path, const ListRules& rules) {
    const ListRule rule = rules(path);
    Json kept = Json::array();
    for (Json& element : list) {
        const Json* own = member(fields, list_key(element, rule));
        if (own == nullptr) {
            kept.push_back(element);
        } else if (rule.type == ListType::Map && !own->contains(".")) {
            remove_fields(element, *own, path, rules);
            kept.push_back(element);
        }
    }
    list = std::move(kept);
}

void remove_fields(Json& value, const Json& fields, FieldPath& path, const ListRules& rules) {
    if (value.is_array()) {
        remove_elements(value, fields, path, rules);
        return;
    }
    if (!value.is_object()) {
        return;
    }
    for (const auto& [name, inner] : fields.items()) {
        if (!name.starts_with("f:")) {
            continue;
        }
        const std::string field = name.substr(2);
        const auto place = value.find(field);
        if (place == value.end()) {
            continue;
        }
        if (inner.empty()) {
            value.erase(place);
            continue;
        }
        path.push_back(field);
        const bool was_empty = place->empty();
        remove_fields(*place, inner, path, rules);
        const bool emptied = place->empty() && !was_empty;
        path.pop_back();
        if (emptied) {
            value.erase(field);
        }
    }
}

// Leaves of after whose value is not the one before.
void changed_fields(
    const Json& before, const Json& after, FieldPath& path, const ListRules& rules, Json& out
) {
    if (after.is_object()) {
        for (const auto& [name, child] : after.items()) {
            path.push_back(name);
            const Json* old = member(before, name);
            if (old == nullptr) {
                out["f:" + name] = set_of(child, path, rules);
            } else if (*old != child) {
                Json inner = Json::object();
                changed_fields(*old, child, path, rules, inner);
                out["f:" + name] = std::move(inner);
            }
            path.pop_back();
        }
        return;
    }
    if (!after.is_array() || !before.is_array()) {
        return;
    }
    const ListRule rule = rules(path);
    if (rule.type == ListType::Atomic) {
        return;
    }
    for (const Json& element : after) {
        const std::string key = list_key(element, rule);
        const auto old = std::find_if(before.begin(), before.end(), [&](const Json& candidate) {
            return list_key(candidate, rule) == key;
        });
        if (old == before.end()) {
            out[key] = set_of(element, path, rules);
            out[key]["."] = Json::object();
        } else if (*old != element) {
            Json inner = Json::object();
            changed_fields(*old, element, path, rules, inner);
            out[key] = std::move(inner);
        }
    }
}

struct ConflictSearch {
    const ListRules& rules;
    const std::string& manager;
    std::vector<ApplyConflict>& out;
    Json contested = Json::object();  // the set of these fields
    std::vector<std::string> keys{};  // in that set, on the way to where the search is

    // Leaves that `theirs` owns where ours differs from what is live.
    void walk(
        const Json& theirs, const Json* live, const Json& ours, FieldPath& path, std::string text
    ) {
        if (theirs.empty()) {
            if (live != nullptr && *live != ours) {
                out.push_back({manager, text});
                Json* place = &contested;
                for (const std::string& key : keys) {
                    place = &(*place)[key];
                }
                *place = Json::object();
            }
            return;
        }
        if (ours.is_object()) {
            for (const auto& [name, child] : ours.items()) {
                const Json* own = member(theirs, "f:" + name);
                if (own != nullptr) {
                    path.push_back(name);
                    keys.push_back("f:" + name);
                    const Json* now = live == nullptr ? nullptr : member(*live, name);
                    walk(*own, now, child, path, text + "." + name);
                    keys.pop_back();
                    path.pop_back();
                }
            }
        } else if (ours.is_array() && live != nullptr && live->is_array()) {
            elements(theirs, *live, ours, path, text);
        }
    }

    void elements(
        const Json& theirs,
        const Json& live,
        const Json& ours,
        FieldPath& path,
        const std::string& text
    ) {
        const ListRule rule = rules(path);
        for (const Json& element : ours) {
            const std::string key = list_key(element, rule);
            const Json* own = member(theirs, key);
            if (own == nullptr || own->empty()) {
                continue;
            }
            keys.push_back(key);
            for (const Json& candidate : live) {
                if (list_key(candidate, rule) == key) {
                    walk(*own, &candidate, element, path, text + "[" + key.substr(2) + "]");
                }
            }
            keys.pop_back();
        }
    }
};

Json without_server_fields(Json object) {
    object.erase("apiVersion");
    object.erase("kind");
    for (const char* name :
         {"name",
          "namespace",
          "uid",
          "resourceVersion",
          "creationTimestamp",
          "managedFields",
          "generation",
          "selfLink"}) {
        erase_path(object, std::string("metadata.") + name);
    }
    if (const Json* metadata = member(object, "metadata");
        metadata != nullptr && metadata->empty()) {
        object.erase("metadata");
    }
    return object;
}

bool is_own(const Json& entry, const ApplyRequest& request, const char* operation) {
    return text_at(entry, "manager") == request.manager &&
           text_at(entry, "operation") == operation &&
           text_at(entry, "subresource") == request.subresource;
}

Json manager_entry(const ApplyRequest& request, const char* operation, Json fields) {
    Json entry{
        {"manager", request.manager},
        {"operation", operation},
        {"apiVersion", request.api_version},
        {"time", request.time},
        {"fieldsType", "FieldsV1"},
        {"fieldsV1", std::move(fields)}};
    if (!request.subresource.empty()) {
        entry["subresource"] = request.subresource;
    }
    return entry;
}

}  // namespace

Json field_set(const Json& object, const ListRules& rules) {
    FieldPath path;
    return set_of(without_server_fields(object), path, rules);
}

namespace {

// Objects nobody has applied so far carry no bookkeeping: what is in them belongs to a manager of
// that name, as for objects older than server-side apply itself.
Json managers_of(const Json& live, const ApplyRequest& request, const ListRules& rules) {
    Json managers = array_at(live, "metadata.managedFields");
    Json fields = managers.empty() ? field_set(live, rules) : Json::object();
    if (!fields.empty()) {
        ApplyRequest before;
        before.manager = "before-first-apply";
        before.api_version = request.api_version;
        before.time = request.time;
        managers.push_back(manager_entry(before, "Update", std::move(fields)));
    }
    return managers;
}

}  // namespace

ApplyOutcome server_side_apply(
    const Json& live, const Json& wanted, const ApplyRequest& request, const ListRules& rules
) {
    ApplyOutcome outcome;
    FieldPath path;
    const Json own_set = field_set(wanted, rules);
    Json previous = Json::object();
    Json owned_by_others = Json::object();
    Json managers = Json::array();
    for (Json entry : managers_of(live, request, rules)) {
        const Json& fields = object_at(entry, "fieldsV1");
        if (is_own(entry, request, "Apply")) {
            previous = fields;
            continue;
        }
        const std::string manager = text_at(entry, "manager");
        std::vector<ApplyConflict> found;
        ConflictSearch search{rules, manager, found};
        if (!fields.empty()) {
            search.walk(fields, &live, without_server_fields(wanted), path, "");
        }
        if (!found.empty() && request.force) {
            // What others say too stays theirs as well.
            entry["fieldsV1"] = difference(fields, search.contested);
        } else {
            outcome.conflicts.insert(outcome.conflicts.end(), found.begin(), found.end());
        }
        owned_by_others = set_union(owned_by_others, object_at(entry, "fieldsV1"));
        if (!entry["fieldsV1"].empty()) {
            managers.push_back(std::move(entry));
        }
    }
    if (!outcome.conflicts.empty()) {
        return outcome;
    }
    Json dropped = difference(difference(previous, own_set), owned_by_others);
    outcome.object = live;
    remove_fields(outcome.object, dropped, path, rules);
    Json clean = wanted;
    erase_path(clean, "metadata.managedFields");
    outcome.object = merged(outcome.object, clean, path, rules);
    managers.push_back(manager_entry(request, "Apply", own_set));
    outcome.object["metadata"]["managedFields"] = std::move(managers);
    return outcome;
}

void record_update(
    const Json& before, Json& after, const ApplyRequest& request, const ListRules& rules
) {
    const Json& old_entries = array_at(before, "metadata.managedFields");
    if (old_entries.empty()) {
        return;
    }
    // What is new or has another value now belongs to whoever sent it; what is gone to nobody.
    FieldPath path;
    const Json new_set = field_set(after, rules);
    const Json gone = difference(field_set(before, rules), new_set);
    Json taken = Json::object();
    changed_fields(without_server_fields(before), without_server_fields(after), path, rules, taken);
    Json managers = Json::array();
    for (Json entry : old_entries) {
        const Json& fields = object_at(entry, "fieldsV1");
        if (is_own(entry, request, "Update")) {
            taken = set_union(difference(fields, gone), taken);
            continue;
        }
        entry["fieldsV1"] = difference(difference(fields, gone), taken);
        managers.push_back(std::move(entry));
    }
    if (!taken.empty()) {
        managers.push_back(manager_entry(request, "Update", std::move(taken)));
    }
    after["metadata"]["managedFields"] = std::move(managers);
}

}  // namespace steelyard::apiserver
