#include "common/kube/model/encode.hpp"

// Writing our own kinds: an AllocationPolicy only whole (tests, conversion by tools), an
// AddressReservation as the controller keeps it.
namespace steelyard::kube {
namespace {

template <class T>
nlohmann::json object_of(const T& value) {
    constexpr ResourceType kType = Resource<T>::kType;
    nlohmann::json object;
    object["apiVersion"] = std::string(kType.group) + "/" + std::string(kType.version);
    object["kind"] = kType.kind;
    nlohmann::json& metadata = object["metadata"];
    metadata["name"] = value.meta.key.name;
    metadata["namespace"] = value.meta.key.ns;
    if (!value.meta.labels.empty()) {
        metadata["labels"] = value.meta.labels;
    }
    if (!value.meta.annotations.empty()) {
        metadata["annotations"] = value.meta.annotations;
    }
    return object;
}

std::string_view operator_text(LabelSelector::Operator op) {
    using Operator = LabelSelector::Operator;
    switch (op) {
        case Operator::In:
            break;
        case Operator::NotIn:
            return "NotIn";
        case Operator::Exists:
            return "Exists";
        case Operator::DoesNotExist:
            return "DoesNotExist";
    }
    return "In";
}

nlohmann::json encode_selectors(const std::vector<LabelSelector>& selectors) {
    nlohmann::json list = nlohmann::json::array();
    for (const LabelSelector& selector : selectors) {
        nlohmann::json item = nlohmann::json::object();
        if (!selector.match_labels.empty()) {
            item["matchLabels"] = selector.match_labels;
        }
        for (const LabelSelector::Requirement& requirement : selector.match_expressions) {
            nlohmann::json expression;
            expression["key"] = requirement.key;
            expression["operator"] = operator_text(requirement.op);
            if (!requirement.values.empty()) {
                expression["values"] = requirement.values;
            }
            item["matchExpressions"].push_back(std::move(expression));
        }
        list.push_back(std::move(item));
    }
    return list;
}

template <class List>
void put(nlohmann::json& object, const char* field, const List& list) {
    if (!list.empty()) {
        object[field] = list;
    }
}

void put_selectors(
    nlohmann::json& object, const char* field, const std::vector<LabelSelector>& selectors
) {
    if (!selectors.empty()) {
        object[field] = encode_selectors(selectors);
    }
}

nlohmann::json time_or_null(const std::optional<WallTime>& time) {
    return time ? nlohmann::json(format_rfc3339(*time)) : nlohmann::json();
}

}  // namespace

nlohmann::json encode_object(const AllocationPolicy& policy) {
    nlohmann::json object = object_of(policy);
    nlohmann::json& spec = object["spec"];
    spec = nlohmann::json::object();
    put(spec, "ipAddressPools", policy.ip_address_pools);
    put_selectors(spec, "ipAddressPoolSelectors", policy.ip_address_pool_selectors);
    put(spec, "exclude", policy.exclude);
    for (const AllocationPolicy::Quota& quota : policy.quotas) {
        nlohmann::json item;
        put(item, "namespaces", quota.namespaces);
        put_selectors(item, "namespaceSelectors", quota.namespace_selectors);
        item["addresses"] = quota.addresses;
        spec["quotas"].push_back(std::move(item));
    }
    put(spec, "keepAfterDelete", policy.keep_after_delete);
    return object;
}

nlohmann::json encode_object(const AddressReservation& reservation) {
    nlohmann::json object = object_of(reservation);
    nlohmann::json& spec = object["spec"];
    spec["serviceNamespace"] = reservation.service_namespace;
    spec["serviceName"] = reservation.service_name;
    spec["addresses"] = reservation.addresses;
    put(spec, "keepFor", reservation.keep_for);
    return object;
}

nlohmann::json status_patch(const AddressReservation& reservation) {
    nlohmann::json patch = nlohmann::json::object();
    if (!reservation.meta.resource_version.empty()) {
        patch["metadata"]["resourceVersion"] = reservation.meta.resource_version;
    }
    nlohmann::json& status = patch["status"];
    status["pool"] = reservation.pool.empty() ? nlohmann::json() : nlohmann::json(reservation.pool);
    status["inUse"] = reservation.in_use;
    status["releasedAt"] = time_or_null(reservation.released_at);
    status["expiresAt"] = time_or_null(reservation.expires_at);
    return patch;
}

}  // namespace steelyard::kube
