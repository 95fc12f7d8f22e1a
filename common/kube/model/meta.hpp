#pragma once

#include "common/base/time.hpp"

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What every Kubernetes object has in common, reduced to the fields Steelyard reads.
namespace steelyard::kube {

// namespace/name of a namespaced object; `ns` is empty for cluster-scoped ones.
struct ObjectKey {
    std::string ns;
    std::string name;
    friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};
[[nodiscard]] std::string to_string(const ObjectKey& key);  // "ns/name", or "name"

using Labels = std::map<std::string, std::string, std::less<>>;

struct ObjectMeta {
    ObjectKey key;
    std::string uid;
    std::string resource_version;
    Labels labels;
    Labels annotations;
    std::optional<WallTime> creation_timestamp;
    std::optional<WallTime> deletion_timestamp;
    friend bool operator==(const ObjectMeta&, const ObjectMeta&) = default;
};

// metav1.LabelSelector. An empty selector matches everything.
struct LabelSelector {
    enum class Operator { In, NotIn, Exists, DoesNotExist };
    struct Requirement {
        std::string key;
        Operator op = Operator::In;
        std::vector<std::string> values;
        friend bool operator==(const Requirement&, const Requirement&) = default;
    };
    Labels match_labels;
    std::vector<Requirement> match_expressions;
    friend bool operator==(const LabelSelector&, const LabelSelector&) = default;
};

[[nodiscard]] bool matches(const LabelSelector& selector, const Labels& labels);
// MetalLB's rule for lists of selectors: OR between items; an empty list matches everything.
[[nodiscard]] bool matches_any(const std::vector<LabelSelector>& selectors, const Labels& labels);

}  // namespace steelyard::kube
