#include "e2e/apiserver/patch/patch.hpp"

#include <algorithm>
#include <map>

namespace steelyard::apiserver {

namespace {

// By the last field name, where all built-in kinds agree.
const std::map<std::string, ListRule>& named_rules() {
    static const std::map<std::string, ListRule> kRules{
        {"containers", {ListType::Map, {"name"}}},
        {"initContainers", {ListType::Map, {"name"}}},
        {"ephemeralContainers", {ListType::Map, {"name"}}},
        {"volumes", {ListType::Map, {"name"}}},
        {"env", {ListType::Map, {"name"}}},
        {"imagePullSecrets", {ListType::Map, {"name"}}},
        {"secrets", {ListType::Map, {"name"}}},
        {"webhooks", {ListType::Map, {"name"}}},
        {"matchConditions", {ListType::Map, {"name"}}},
        {"volumeMounts", {ListType::Map, {"mountPath"}}},
        {"volumeDevices", {ListType::Map, {"devicePath"}}},
        {"hostAliases", {ListType::Map, {"ip"}}},
        {"podIPs", {ListType::Map, {"ip"}}},
        {"conditions", {ListType::Map, {"type"}}},
        {"ownerReferences", {ListType::Map, {"uid"}}},
        {"topologySpreadConstraints", {ListType::Map, {"topologyKey", "whenUnsatisfiable"}}},
        {"finalizers", {ListType::Set, {}}},
        {"podCIDRs", {ListType::Set, {}}},
    };
    return kRules;
}

bool is_scalar(const Json& value) {
    return !value.is_structured();
}

}  // namespace

ListRule builtin_list_rule(const FieldPath& path) {
    if (path.empty()) {
        return {};
    }
    const std::string& field = path.back();
    const std::string parent = path.size() > 1 ? path[path.size() - 2] : std::string{};
    if (field == "ports") {
        const bool container = parent == "containers" || parent == "initContainers";
        if (container) {
            return {ListType::Map, {"containerPort", "protocol"}};
        }
        return parent == "spec" ? ListRule{ListType::Map, {"port", "protocol"}} : ListRule{};
    }
    if (field == "addresses" && parent == "status") {
        return {ListType::Map, {"type"}};
    }
    const auto found = named_rules().find(field);
    return found == named_rules().end() ? ListRule{} : found->second;
}

ListRule schema_list_rule(const Json& schema, const FieldPath& path) {
    const Json* place = &schema;
    for (const std::string& field : path) {
        // Through the elements of a list on the way.
        while (const Json* items = member(*place, "items")) {
            place = items;
        }
        const Json* properties = member(*place, "properties");
        const Json* next = properties == nullptr ? nullptr : member(*properties, field);
        if (next == nullptr) {
            next = member(*place, "additionalProperties");
        }
        if (next == nullptr) {
            return builtin_list_rule(path);  // metadata is not in the schema
        }
        place = next;
    }
    ListRule rule;
    const std::string type = text_at(*place, "x-kubernetes-list-type");
    if (type == "set") {
        rule.type = ListType::Set;
    } else if (type == "map") {
        rule.type = ListType::Map;
        for (const Json& key : array_at(*place, "x-kubernetes-list-map-keys")) {
            rule.keys.push_back(key.is_string() ? key.get<std::string>() : std::string{});
        }
    }
    return rule;
}

Json merge_patch(Json target, const Json& patch) {
    target.merge_patch(patch);
    return target;
}

Result<Json> json_patch(const Json& target, const Json& patch) {
    try {
        return target.patch(patch);
    } catch (const Json::exception& thrown) {
        return make_error(Errc::Invalid, std::string("JSON patch: ") + thrown.what());
    }
}

namespace {

constexpr std::string_view kOrder = "$setElementOrder/";
constexpr std::string_view kDeletePrimitive = "$deleteFromPrimitiveList/";

class StrategicMerge {
public:
    explicit StrategicMerge(const ListRules& rules) : rules_(rules) {}

    Result<Json> object(Json target, const Json& patch, FieldPath& path) {
        const std::string directive = text_at(patch, "$patch");
        if (directive == "replace") {
            Json out = patch;
            out.erase("$patch");
            return out;
        }
        if (directive == "delete") {
            return Json::object();
        }
        if (!directive.empty() && directive != "merge") {
            return make_error(
                Errc::Invalid, "$patch: \"" + directive + "\": want merge, replace or delete"
            );
        }
        if (!target.is_object()) {
            target = Json::object();
        }
        retain_keys(target, patch);
        for (const auto& [key, value] : patch.items()) {
            if (key.starts_with("$")) {
                continue;
            }
            auto merged = field(target, key, value, path);
            if (!merged) {
                return merged.error();
            }
        }
        directives_for_lists(target, patch, path);
        return target;
    }

private:
    static void retain_keys(Json& target, const Json& patch) {
        const Json* keep = member(patch, "$retainKeys");
        if (keep == nullptr || !keep->is_array()) {
            return;
        }
        Json kept = Json::object();
        for (const auto& [key, value] : target.items()) {
            for (const Json& name : *keep) {
                if (name == key) {
                    kept[key] = value;
                }
            }
        }
        target = std::move(kept);
    }

    Result<> field(Json& target, const std::string& key, const Json& value, FieldPath& path) {
        if (value.is_null()) {
            target.erase(key);
            return {};
        }
        path.push_back(key);
        Json old = target.contains(key) ? target[key] : Json(nullptr);
        Result<Json> merged = value;
        if (value.is_object()) {
            if (text_at(value, "$patch") == "delete") {
                target.erase(key);
                path.pop_back();
                return {};
            }
            merged = object(std::move(old), value, path);
        } else if (value.is_array()) {
            merged = list(std::move(old), value, path);
        }
        path.pop_back();
        if (!merged) {
            return merged.error();
        }
        target[key] = std::move(*merged);
        return {};
    }

    Result<Json> list(Json old, const Json& patch, FieldPath& path) {
        const ListRule rule = rules_(path);
        if (!old.is_array()) {
            old = Json::array();
        }
        if (rule.type == ListType::Map && !rule.keys.empty()) {
            return map_list(std::move(old), patch, rule.keys.front(), path);
        }
        if (rule.type == ListType::Set) {
            for (const Json& value : patch) {
                if (std::find(old.begin(), old.end(), value) == old.end()) {
                    old.push_back(value);
                }
            }
            return old;
        }
        return patch;
    }

    Result<Json> map_list(Json old, const Json& patch, const std::string& key, FieldPath& path) {
        for (const Json& entry : patch) {
            if (entry.is_object() && text_at(entry, "$patch") == "replace" && entry.size() == 1) {
                old = Json::array();
            }
        }
        for (const Json& entry : patch) {
            const Json* id = member(entry, key);
            const std::string directive = text_at(entry, "$patch");
            if (id == nullptr) {
                if (directive == "replace") {
                    continue;
                }
                return make_error(
                    Errc::Invalid,
                    "patch of list " + path.back() + ": an element lacks its merge key " + key
                );
            }
            auto found = std::find_if(old.begin(), old.end(), [&](const Json& candidate) {
                const Json* other = member(candidate, key);
                return other != nullptr && *other == *id;
            });
            if (directive == "delete") {
                if (found != old.end()) {
                    old.erase(found);
                }
                continue;
            }
            Json before = Json::object();
            if (found != old.end()) {
                before = *found;
            }
            auto merged = object(std::move(before), entry, path);
            if (!merged) {
                return merged.error();
            }
            if (found == old.end()) {
                old.push_back(std::move(*merged));
            } else {
                *found = std::move(*merged);
            }
        }
        return old;
    }

    void directives_for_lists(Json& target, const Json& patch, FieldPath& path) {
        for (const auto& [key, value] : patch.items()) {
            if (!value.is_array()) {
                continue;
            }
            if (key.starts_with(kDeletePrimitive)) {
                drop_primitives(target, key.substr(kDeletePrimitive.size()), value);
            } else if (key.starts_with(kOrder)) {
                const std::string field_name = key.substr(kOrder.size());
                path.push_back(field_name);
                const ListRule rule = rules_(path);
                path.pop_back();
                order(target, field_name, value, rule);
            }
        }
    }

    static void drop_primitives(Json& target, const std::string& field_name, const Json& values) {
        Json* place = find(target, field_name);
        if (place == nullptr || !place->is_array()) {
            return;
        }
        Json kept = Json::array();
        for (const Json& value : *place) {
            if (std::find(values.begin(), values.end(), value) == values.end()) {
                kept.push_back(value);
            }
        }
        *place = std::move(kept);
    }

    // Elements named in the order come in that order; the others keep their place after the element
    // they followed.
    static void order(
        Json& target, const std::string& field_name, const Json& wanted, const ListRule& rule
    ) {
        const auto place = target.find(field_name);
        if (place == target.end() || !place->is_array()) {
            return;
        }
        const std::string key = rule.keys.empty() ? std::string{} : rule.keys.front();
        const auto rank = [&](const Json& element) {
            for (std::size_t i = 0; i < wanted.size(); ++i) {
                const Json* a = is_scalar(element) ? &element : member(element, key);
                const Json* b = is_scalar(wanted[i]) ? &wanted[i] : member(wanted[i], key);
                if (a != nullptr && b != nullptr && *a == *b) {
                    return i + 1;
                }
            }
            return std::size_t{0};
        };
        std::vector<std::pair<std::size_t, Json>> ranked;
        std::size_t last = 0;
        for (const Json& element : *place) {
            const std::size_t own = rank(element);
            last = own == 0 ? last : own;
            ranked.emplace_back(last, element);
        }
        std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
            return a.first < b.first;
        });
        Json sorted = Json::array();
        for (auto& [own, element] : ranked) {
            sorted.push_back(std::move(element));
        }
        *place = std::move(sorted);
    }

    const ListRules& rules_;
};

}  // namespace

Result<Json> strategic_merge_patch(const Json& target, const Json& patch, const ListRules& rules) {
    if (!patch.is_object()) {
        return make_error(Errc::Invalid, "strategic merge patch: want a JSON object");
    }
    FieldPath path;
    return StrategicMerge(rules).object(target, patch, path);
}

}  // namespace steelyard::apiserver
