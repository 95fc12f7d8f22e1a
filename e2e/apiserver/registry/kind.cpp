#include "e2e/apiserver/registry/kind.hpp"

#include <algorithm>
#include <tuple>

namespace steelyard::apiserver {

namespace {

std::vector<std::string> texts(const Json& array) {
    std::vector<std::string> out;
    for (const Json& entry : array) {
        if (entry.is_string()) {
            out.push_back(entry.get<std::string>());
        }
    }
    return out;
}

std::vector<PrinterColumn> columns_of(const Json& version) {
    std::vector<PrinterColumn> columns;
    for (const Json& entry : array_at(version, "additionalPrinterColumns")) {
        PrinterColumn column;
        column.name = text_at(entry, "name");
        column.type = text_at(entry, "type");
        column.description = text_at(entry, "description");
        column.json_path = text_at(entry, "jsonPath");
        column.priority = static_cast<int>(integer_at(entry, "priority").value_or(0));
        columns.push_back(std::move(column));
    }
    if (columns.empty()) {
        PrinterColumn age;
        age.name = "Age";
        age.type = "date";
        age.json_path = ".metadata.creationTimestamp";
        columns.push_back(std::move(age));
    }
    return columns;
}

std::tuple<int, int, int> rank(const std::string& version) {
    int major = 0;
    int minor = 0;
    std::size_t i = 1;
    if (version.empty() || version[0] != 'v') {
        return {0, 0, 0};
    }
    const auto number = [&](int& out) {
        while (i < version.size() && version[i] >= '0' && version[i] <= '9' && out < 100000) {
            out = out * 10 + (version[i++] - '0');
        }
    };
    number(major);
    if (major == 0) {
        return {0, 0, 0};
    }
    if (i == version.size()) {
        return {3, major, 0};
    }
    const bool beta = version.compare(i, 4, "beta") == 0;
    const bool alpha = version.compare(i, 5, "alpha") == 0;
    if (!beta && !alpha) {
        return {0, 0, 0};
    }
    i += beta ? 4 : 5;
    number(minor);
    return {beta ? 2 : 1, major, minor};
}

}  // namespace

bool preferred_to(const std::string& version, const std::string& other) {
    return rank(version) > rank(other);
}

std::string Kind::api_version(const std::string& wanted) const {
    return group.empty() ? wanted : group + "/" + wanted;
}

const KindVersion* Kind::version(std::string_view wanted) const {
    const auto found = std::find_if(versions.begin(), versions.end(), [&](const auto& entry) {
        return entry.name == wanted;
    });
    return found == versions.end() ? nullptr : &*found;
}

Subject Kind::subject(const std::string& object_name) const {
    Subject subject;
    subject.group = group;
    subject.resource = plural;
    subject.kind = name;
    subject.name = object_name;
    return subject;
}

Registry::Registry() {
    for (Kind& kind : builtin_kinds()) {
        std::string resource = kind.resource();
        kinds_.emplace(std::move(resource), std::move(kind));
    }
}

const Kind* Registry::find_resource(
    std::string_view group, std::string_view version, std::string_view plural
) const {
    const Kind* kind = find(std::string(plural) + "." + std::string(group));
    if (kind == nullptr) {
        return nullptr;
    }
    const KindVersion* known = kind->version(version);
    return known != nullptr && known->served ? kind : nullptr;
}

const Kind* Registry::find_kind(std::string_view group, std::string_view name) const {
    for (const auto& [resource, kind] : kinds_) {
        if (kind.group == group && kind.name == name) {
            return &kind;
        }
    }
    return nullptr;
}

const Kind* Registry::find(const std::string& resource) const {
    const auto found = kinds_.find(resource);
    return found == kinds_.end() ? nullptr : &found->second;
}

void Registry::add_custom(const Json& crd) {
    Kind kind;
    kind.custom = true;
    kind.group = text_at(crd, "spec.group");
    kind.name = text_at(crd, "spec.names.kind");
    kind.plural = text_at(crd, "spec.names.plural");
    kind.singular = text_at(crd, "spec.names.singular");
    kind.short_names = texts(array_at(crd, "spec.names.shortNames"));
    kind.categories = texts(array_at(crd, "spec.names.categories"));
    kind.namespaced = text_at(crd, "spec.scope") != "Cluster";
    kind.conversion = object_at(crd, "spec.conversion");
    for (const Json& entry : array_at(crd, "spec.versions")) {
        KindVersion version;
        version.name = text_at(entry, "name");
        version.served = true_at(entry, "served");
        version.has_status = apiserver::find(entry, "subresources.status") != nullptr;
        version.schema = object_at(entry, "schema.openAPIV3Schema");
        version.columns = columns_of(entry);
        for (const Json& field : array_at(entry, "selectableFields")) {
            const std::string path = text_at(field, "jsonPath");
            version.selectable.push_back(path.substr(path.find_first_not_of('.') == 1 ? 1 : 0));
        }
        if (true_at(entry, "deprecated")) {
            version.deprecation = text_at(entry, "deprecationWarning");
            if (version.deprecation.empty()) {
                version.deprecation =
                    kind.group + "/" + version.name + " " + kind.name + " is deprecated";
            }
        }
        if (true_at(entry, "storage")) {
            kind.storage_version = version.name;
        }
        kind.versions.push_back(std::move(version));
    }
    std::stable_sort(kind.versions.begin(), kind.versions.end(), [](const auto& a, const auto& b) {
        return preferred_to(a.name, b.name);
    });
    ++generation_;
    std::string resource = kind.resource();
    kinds_.insert_or_assign(std::move(resource), std::move(kind));
}

void Registry::remove_custom(const Json& crd) {
    const auto found =
        kinds_.find(text_at(crd, "spec.names.plural") + "." + text_at(crd, "spec.group"));
    if (found != kinds_.end() && found->second.custom) {
        kinds_.erase(found);
        ++generation_;
    }
}

}  // namespace steelyard::apiserver
