#include "e2e/apiserver/registry/discovery.hpp"

#include <algorithm>

namespace steelyard::apiserver {

namespace {

const Json kVerbs{
    "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
const Json kSubresourceVerbs{"get", "patch", "update"};

struct Subresource {
    std::string name;
    std::string group;
    std::string version;
    std::string kind;
    Json verbs;
};

std::vector<Subresource> subresources_of(const Kind& kind, const KindVersion& version) {
    std::vector<Subresource> out;
    if (version.has_status) {
        out.push_back({"status", kind.group, version.name, kind.name, kSubresourceVerbs});
    }
    if (kind.resource() == "serviceaccounts.") {
        out.push_back(
            {"token", "authentication.k8s.io", "v1", "TokenRequest", Json::array({"create"})}
        );
    }
    if (kind.plural == "deployments" || kind.plural == "replicasets") {
        out.push_back({"scale", "autoscaling", "v1", "Scale", kSubresourceVerbs});
    }
    return out;
}

Json group_entry(const Registry& registry, const std::string& group) {
    Json versions = Json::array();
    for (const std::string& version : group_versions(registry, group)) {
        versions.push_back({{"groupVersion", group + "/" + version}, {"version", version}});
    }
    return Json{{"name", group}, {"preferredVersion", versions.front()}, {"versions", versions}};
}

Json aggregated_resource(const Kind& kind, const KindVersion& version) {
    const auto response_kind = [](const std::string& g, const std::string& v, const std::string& k
                               ) {
        return Json{{"group", g}, {"version", v}, {"kind", k}};
    };
    Json entry{
        {"resource", kind.plural},
        {"responseKind", response_kind(kind.group, version.name, kind.name)},
        {"scope", kind.namespaced ? "Namespaced" : "Cluster"},
        {"singularResource", kind.singular},
        {"verbs", kVerbs}};
    if (!kind.short_names.empty()) {
        entry["shortNames"] = kind.short_names;
    }
    if (!kind.categories.empty()) {
        entry["categories"] = kind.categories;
    }
    for (const Subresource& sub : subresources_of(kind, version)) {
        entry["subresources"].push_back(Json{
            {"subresource", sub.name},
            {"responseKind", response_kind(sub.group, sub.version, sub.kind)},
            {"verbs", sub.verbs}});
    }
    return entry;
}

}  // namespace

std::vector<std::string> groups(const Registry& registry) {
    std::vector<std::string> out;
    for (const auto& [resource, kind] : registry.kinds()) {
        if (std::find(out.begin(), out.end(), kind.group) == out.end() &&
            !group_versions(registry, kind.group).empty()) {
            out.push_back(kind.group);
        }
    }
    std::sort(out.begin(), out.end());
    return out;
}

std::vector<std::string> group_versions(const Registry& registry, const std::string& group) {
    std::vector<std::string> out;
    for (const auto& [resource, kind] : registry.kinds()) {
        if (kind.group != group) {
            continue;
        }
        for (const KindVersion& version : kind.versions) {
            if (version.served && std::find(out.begin(), out.end(), version.name) == out.end()) {
                out.push_back(version.name);
            }
        }
    }
    std::stable_sort(out.begin(), out.end(), preferred_to);
    return out;
}

Json api_versions(const std::string& server_address) {
    return Json{
        {"kind", "APIVersions"},
        {"versions", {"v1"}},
        {"serverAddressByClientCIDRs",
         Json::array({{{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", server_address}}})}};
}

Json api_group_list(const Registry& registry) {
    Json list{{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", Json::array()}};
    for (const std::string& group : groups(registry)) {
        if (!group.empty()) {
            list["groups"].push_back(group_entry(registry, group));
        }
    }
    return list;
}

Json api_group(const Registry& registry, const std::string& group) {
    if (group.empty() || group_versions(registry, group).empty()) {
        return nullptr;
    }
    Json entry = group_entry(registry, group);
    entry["kind"] = "APIGroup";
    entry["apiVersion"] = "v1";
    return entry;
}

Json api_resource_list(
    const Registry& registry, const std::string& group, const std::string& version
) {
    Json list{
        {"kind", "APIResourceList"},
        {"apiVersion", "v1"},
        {"groupVersion", group.empty() ? version : group + "/" + version},
        {"resources", Json::array()}};
    for (const auto& [resource, kind] : registry.kinds()) {
        const KindVersion* known = kind.version(version);
        if (kind.group != group || known == nullptr || !known->served) {
            continue;
        }
        Json entry{
            {"name", kind.plural},
            {"singularName", kind.singular},
            {"namespaced", kind.namespaced},
            {"kind", kind.name},
            {"verbs", kVerbs}};
        if (!kind.short_names.empty()) {
            entry["shortNames"] = kind.short_names;
        }
        if (!kind.categories.empty()) {
            entry["categories"] = kind.categories;
        }
        list["resources"].push_back(std::move(entry));
        for (const Subresource& sub : subresources_of(kind, *known)) {
            Json extra{
                {"name", kind.plural + "/" + sub.name},
                {"singularName", ""},
                {"namespaced", kind.namespaced},
                {"kind", sub.kind},
                {"verbs", sub.verbs}};
            if (sub.group != group || sub.version != version) {
                extra["group"] = sub.group;
                extra["version"] = sub.version;
            }
            list["resources"].push_back(std::move(extra));
        }
    }
    return list["resources"].empty() ? Json(nullptr) : list;
}

Json aggregated_discovery(
    const Registry& registry, bool core_group, const std::string& format_version
) {
    Json list{
        {"kind", "APIGroupDiscoveryList"},
        {"apiVersion", "apidiscovery.k8s.io/" + format_version},
        {"metadata", Json::object()},
        {"items", Json::array()}};
    for (const std::string& group : groups(registry)) {
        if (group.empty() != core_group) {
            continue;
        }
        Json item{{"metadata", Json::object()}, {"versions", Json::array()}};
        if (!group.empty()) {
            item["metadata"]["name"] = group;
        }
        for (const std::string& version : group_versions(registry, group)) {
            Json resources = Json::array();
            for (const auto& [resource, kind] : registry.kinds()) {
                const KindVersion* known = kind.version(version);
                if (kind.group == group && known != nullptr && known->served) {
                    resources.push_back(aggregated_resource(kind, *known));
                }
            }
            item["versions"].push_back(Json{
                {"version", version}, {"resources", resources}, {"freshness", "Current"}});
        }
        list["items"].push_back(std::move(item));
    }
    return list;
}

Json server_version() {
    return Json{
        {"major", "1"},
        {"minor", "32"},
        {"gitVersion", "v1.32.0+steelyard-lab"},
        {"gitCommit", ""},
        {"gitTreeState", "clean"},
        {"buildDate", "1970-01-01T00:00:00Z"},
        {"goVersion", ""},
        {"compiler", "g++"},
        {"platform", "linux/amd64"}};
}

}  // namespace steelyard::apiserver
