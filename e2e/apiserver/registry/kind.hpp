#pragma once

#include "e2e/apiserver/json/failure.hpp"
#include "e2e/apiserver/json/json.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

// What the server knows of each kind: its names, its versions, how it prints. Built-in kinds are a
// table in builtin.cpp; others come and go with CustomResourceDefinitions.
namespace steelyard::apiserver {

struct PrinterColumn {
    std::string name;
    std::string type = "string";
    std::string description;
    std::string json_path;  // ".spec.addresses"
    int priority = 0;       // above 0: only in the wide output
};

struct KindVersion {
    std::string name;
    bool served = true;
    bool has_status = false;
    Json schema;  // openAPIV3Schema; null for built-in kinds, which are taken as they come
    std::vector<PrinterColumn> columns;
    std::vector<std::string> selectable;  // fields a selector may name, "spec.color"
    std::string deprecation;              // warning for whoever uses it; "" when it is not
};

struct Kind {
    std::string group;
    std::string name;  // "Service"
    std::string plural;
    std::string singular;
    std::vector<std::string> short_names;
    std::vector<std::string> categories;
    bool namespaced = true;
    bool custom = false;
    std::string storage_version;
    std::vector<KindVersion> versions;  // most preferred first
    Json conversion;                    // a CRD's spec.conversion; null for built-in kinds

    [[nodiscard]] std::string resource() const { return plural + "." + group; }
    [[nodiscard]] std::string api_version(const std::string& version) const;
    [[nodiscard]] const KindVersion* version(std::string_view wanted) const;
    [[nodiscard]] Subject subject(const std::string& object_name) const;
};

class Registry {
public:
    Registry();  // with the built-in kinds

    [[nodiscard]] const Kind* find_resource(
        std::string_view group, std::string_view version, std::string_view plural
    ) const;
    [[nodiscard]] const Kind* find_kind(std::string_view group, std::string_view name) const;
    [[nodiscard]] const Kind* find(const std::string& resource) const;
    [[nodiscard]] const std::map<std::string, Kind>& kinds() const { return kinds_; }
    // Grows with every change, so that documents made from the kinds can be cached.
    [[nodiscard]] std::uint64_t generation() const { return generation_; }

    // From a CustomResourceDefinition; replaces what that CRD said before.
    void add_custom(const Json& crd);
    void remove_custom(const Json& crd);

private:
    std::map<std::string, Kind> kinds_;  // by resource()
    std::uint64_t generation_ = 1;
};

[[nodiscard]] std::vector<Kind> builtin_kinds();
// Kubernetes' order of versions, most preferred first: v2, v1, v1beta2, v1beta1, v1alpha1, others.
[[nodiscard]] bool preferred_to(const std::string& version, const std::string& other);

}  // namespace steelyard::apiserver
