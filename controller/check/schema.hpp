#pragma once

#include <nlohmann/json.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

// The fields of the kinds a user writes and their types, for what a server would prune or refuse: a
// misspelt field, a number in quotes. Whether values are in range and fit together is the business
// of common/config. A test holds the table against crds/.
namespace steelyard::check {

struct FieldRule {
    std::string_view path;  // below spec: "serviceAllocation.priority", "quotas[].addresses"
    std::string_view type;  // string, boolean, integer, object, selector, or one of them after []
};

struct KindRule {
    std::string_view api_version;  // "metallb.io/v1beta1"
    std::string_view kind;
    std::span<const FieldRule> fields;
};

[[nodiscard]] std::span<const KindRule> kind_rules();

struct Misfit {
    std::string path;   // "spec.autoAsign"
    std::string value;  // as it stands there; "" for an object or a list
    std::string accepted;
    friend bool operator==(const Misfit&, const Misfit&) = default;
};

// What in `object` does not fit, and takes it out, so that the rest can be judged. metadata and
// status are the server's business.
[[nodiscard]] std::vector<Misfit> remove_misfits(nlohmann::json& object, const KindRule& rule);

}  // namespace steelyard::check
