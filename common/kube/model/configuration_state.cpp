#include "common/kube/model/configuration_state.hpp"

#include "common/kube/model/encode.hpp"
#include "common/kube/model/field.hpp"
#include "common/kube/model/resource.hpp"

#include <limits>

namespace steelyard::kube {
namespace {

Condition decode_condition(const Field& field) {
    Condition condition;
    condition.type = field["type"].text();
    condition.status = field["status"].text() == "True";
    condition.reason = field["reason"].text();
    condition.message = field["message"].text();
    condition.observed_generation = field["observedGeneration"]
                                        .integer(0, std::numeric_limits<std::int64_t>::max())
                                        .value_or(0);
    condition.last_transition = field["lastTransitionTime"].time().value_or(WallTime{});
    return condition;
}

}  // namespace

Result<ConfigurationState> decode_configuration_state(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    ConfigurationState state;
    state.meta = decode_meta(root);
    state.owner = decode_pod_owner(root);
    const Field status = root["status"];
    state.result = status["result"].text();
    state.error_summary = status["errorSummary"].text();
    for (const Field& item : status["conditions"].items()) {
        state.conditions.push_back(decode_condition(item));
    }
    if (problem.any()) {
        return decode_error("ConfigurationState", object, problem);
    }
    return state;
}

nlohmann::json encode_object(const ConfigurationState& state) {
    constexpr ResourceType kType = Resource<ConfigurationState>::kType;
    nlohmann::json object;
    object["apiVersion"] = std::string(kType.group) + "/" + std::string(kType.version);
    object["kind"] = kType.kind;
    nlohmann::json& metadata = object["metadata"];
    metadata["name"] = state.meta.key.name;
    metadata["namespace"] = state.meta.key.ns;
    metadata["labels"] = state.meta.labels;
    if (state.owner) {
        metadata["ownerReferences"].push_back(encode_pod_owner(*state.owner));
    }
    nlohmann::json& status = object["status"];
    status["result"] = state.result;
    status["errorSummary"] = state.error_summary;
    nlohmann::json& conditions = status["conditions"];
    conditions = nlohmann::json::array();
    for (const Condition& condition : state.conditions) {
        conditions.push_back(encode_condition(condition));
    }
    return object;
}

}  // namespace steelyard::kube
