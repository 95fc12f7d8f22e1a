#include "common/kube/model/encode.hpp"

// Writing ServiceL2Status, the one metallb.io kind that is ours.
namespace steelyard::kube {
namespace {

nlohmann::json status_of(const ServiceL2Status& status) {
    nlohmann::json out;
    out["node"] = status.node;
    out["serviceName"] = status.service.name;
    out["serviceNamespace"] = status.service.ns;
    nlohmann::json& interfaces = out["interfaces"];  // null, which removes the field, when empty
    for (const std::string& name : status.interfaces) {
        nlohmann::json item;
        item["name"] = name;
        interfaces.push_back(std::move(item));
    }
    nlohmann::json& conflicts = out["conflicts"];
    for (const ServiceL2Status::Conflict& conflict : status.conflicts) {
        nlohmann::json item;
        item["ip"] = conflict.ip;
        item["mac"] = conflict.mac;
        conflicts.push_back(std::move(item));
    }
    return out;
}

// Labels, and the speaker's pod as owner: a plain owner, not the controller, so that deleting the
// pod deletes the object without waiting for it.
nlohmann::json metadata_of(const ServiceL2Status& status) {
    nlohmann::json out;
    out["labels"] = nlohmann::json::object();
    for (const auto& [key, value] : status.meta.labels) {
        out["labels"][key] = value;
    }
    if (status.owner) {
        nlohmann::json owner;
        owner["apiVersion"] = "v1";
        owner["kind"] = "Pod";
        owner["name"] = status.owner->name;
        owner["uid"] = status.owner->uid;
        out["ownerReferences"].push_back(std::move(owner));
    }
    return out;
}

}  // namespace

nlohmann::json encode_service_l2_status(const ServiceL2Status& status) {
    nlohmann::json object;
    object["apiVersion"] = "metallb.io/v1beta1";
    object["kind"] = Resource<ServiceL2Status>::kType.kind;
    object["metadata"] = metadata_of(status);
    object["metadata"]["name"] = status.meta.key.name;
    object["metadata"]["namespace"] = status.meta.key.ns;
    object["spec"] = nlohmann::json::object();
    return object;
}

nlohmann::json service_l2_status_meta_patch(const ServiceL2Status& status) {
    nlohmann::json patch;
    patch["metadata"] = metadata_of(status);
    return patch;
}

nlohmann::json service_l2_status_patch(const ServiceL2Status& status) {
    nlohmann::json patch;
    patch["status"] = status_of(status);
    return patch;
}

}  // namespace steelyard::kube
