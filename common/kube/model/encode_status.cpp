#include "common/kube/model/encode.hpp"
#include "common/kube/model/field.hpp"

// Writing the status objects of speakers. A null in a merge patch removes the field.
namespace steelyard::kube {
namespace {

nlohmann::json text_or_null(const std::string& text) {
    return text.empty() ? nlohmann::json() : nlohmann::json(text);
}

nlohmann::json status_of(const ServiceL2Status& status) {
    nlohmann::json out;
    out["node"] = status.node;
    out["serviceName"] = status.service.name;
    out["serviceNamespace"] = status.service.ns;
    nlohmann::json& interfaces = out["interfaces"];
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

nlohmann::json status_of(const ServiceBgpStatus& status) {
    nlohmann::json out;
    out["node"] = status.node;
    out["serviceName"] = status.service.name;
    out["serviceNamespace"] = status.service.ns;
    nlohmann::json& peers = out["peers"];
    for (const std::string& peer : status.peers) {
        peers.push_back(peer);
    }
    return out;
}

nlohmann::json status_of(const BgpSessionState& state) {
    nlohmann::json out;
    out["node"] = state.node;
    out["peer"] = state.peer;
    out["address"] = text_or_null(state.address);
    out["bgp"] = text_or_null(state.bgp);
    out["bfd"] = text_or_null(state.bfd);
    out["reason"] = text_or_null(state.reason);
    out["message"] = text_or_null(state.message);
    out["since"] = state.since ? nlohmann::json(format_rfc3339(*state.since)) : nlohmann::json();
    out["sentIPv4"] = state.sent_ipv4;
    out["sentIPv6"] = state.sent_ipv6;
    out["remoteASN"] = state.remote_asn == 0 ? nlohmann::json() : nlohmann::json(state.remote_asn);
    out["restarts"] = state.restarts;
    return out;
}

template <class Status>
nlohmann::json metadata_of(const Status& status) {
    nlohmann::json out;
    out["labels"] = nlohmann::json::object();
    for (const auto& [key, value] : status.meta.labels) {
        out["labels"][key] = value;
    }
    if (status.owner) {
        out["ownerReferences"].push_back(encode_pod_owner(*status.owner));
    }
    return out;
}

template <class Status>
nlohmann::json object_of(const Status& status) {
    constexpr ResourceType kType = Resource<Status>::kType;
    nlohmann::json object;
    object["apiVersion"] = std::string(kType.group) + "/" + std::string(kType.version);
    object["kind"] = kType.kind;
    object["metadata"] = metadata_of(status);
    object["metadata"]["name"] = status.meta.key.name;
    object["metadata"]["namespace"] = status.meta.key.ns;
    object["spec"] = nlohmann::json::object();
    return object;
}

nlohmann::json under(const char* field, nlohmann::json value) {
    nlohmann::json patch;
    patch[field] = std::move(value);
    return patch;
}

}  // namespace

// A plain owner, not the controller, so that deleting the pod deletes the object without waiting
// for it.
nlohmann::json encode_pod_owner(const PodOwner& owner) {
    nlohmann::json out;
    out["apiVersion"] = "v1";
    out["kind"] = "Pod";
    out["name"] = owner.name;
    out["uid"] = owner.uid;
    return out;
}

nlohmann::json encode_object(const ServiceL2Status& status) {
    return object_of(status);
}
nlohmann::json encode_object(const ServiceBgpStatus& status) {
    return object_of(status);
}
nlohmann::json encode_object(const BgpSessionState& status) {
    return object_of(status);
}

nlohmann::json metadata_patch(const ServiceL2Status& status) {
    return under("metadata", metadata_of(status));
}
nlohmann::json metadata_patch(const ServiceBgpStatus& status) {
    return under("metadata", metadata_of(status));
}
nlohmann::json metadata_patch(const BgpSessionState& status) {
    return under("metadata", metadata_of(status));
}

nlohmann::json status_patch(const ServiceL2Status& status) {
    return under("status", status_of(status));
}
nlohmann::json status_patch(const ServiceBgpStatus& status) {
    return under("status", status_of(status));
}
nlohmann::json status_patch(const BgpSessionState& status) {
    return under("status", status_of(status));
}

}  // namespace steelyard::kube
