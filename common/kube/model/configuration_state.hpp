#pragma once

#include "common/kube/model/condition.hpp"
#include "common/kube/model/meta.hpp"
#include "common/kube/model/status.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// metallb.io/v1beta1 ConfigurationState: whether one daemon accepts the configuration. Objects are
// named "controller" and "speaker-<node>" and written whole, by server-side apply (the kind has no
// status subresource). What one says is decided in common/config/state.hpp.
namespace steelyard::kube {

inline constexpr std::string_view kComponentLabel = "metallb.io/component-type";
inline constexpr std::string_view kNodeLabel = "metallb.io/node-name";

struct ConfigurationState {
    ObjectMeta meta;  // labels: kComponentLabel and, of a speaker, kNodeLabel
    std::optional<PodOwner> owner;
    std::string result;         // Valid, Invalid or Unknown
    std::string error_summary;  // every mistake, one a line; "" when Valid
    std::vector<Condition> conditions;
    friend bool operator==(const ConfigurationState&, const ConfigurationState&) = default;
};

}  // namespace steelyard::kube
