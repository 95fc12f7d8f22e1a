#include "controller/write/status_patch.hpp"

#include "common/kube/model/encode.hpp"

#include <algorithm>

namespace steelyard::controller {
namespace {

using nlohmann::json;

// The member, or null; never throws, whatever the shape.
const json& member(const json& object, const char* name) {
    static const json kNull;
    if (!object.is_object()) {
        return kNull;
    }
    const auto found = object.find(name);
    return found == object.end() ? kNull : *found;
}

std::string text_of(const json& value) {
    return value.is_string() ? value.get<std::string>() : std::string();
}

std::optional<net::IpAddress> address_of(const json& entry) {
    const auto address = net::IpAddress::parse(text_of(member(entry, "ip")));
    return address ? std::optional(*address) : std::nullopt;
}

// "" and VIP say the same; "mixed" is nobody's wish.
void set_ip_mode(json& entry, const std::string& wanted) {
    const std::string shown = text_of(member(entry, "ipMode"));
    if (wanted == controller_plan::kProxy) {
        entry["ipMode"] = wanted;
    } else if (wanted.empty() && shown == controller_plan::kProxy) {
        entry["ipMode"] = controller_plan::kVip;
    }
}

json ingress_for(const json& current, const controller_plan::Standing& standing) {
    json list = json::array();
    for (const net::IpAddress& address : standing.addresses) {
        json entry = json::object();
        entry["ip"] = to_string(address);
        for (const json& existing : current) {
            if (address_of(existing) == address) {
                entry = existing;
            }
        }
        set_ip_mode(entry, standing.ip_mode);
        list.push_back(std::move(entry));
    }
    for (const json& existing : current) {
        if (!existing.contains("ip")) {
            list.push_back(existing);
        }
    }
    return list;
}

bool says_the_same(const json& existing, const kube::ServiceCondition& wanted) {
    return (text_of(member(existing, "status")) == "True") == wanted.status &&
           text_of(member(existing, "reason")) == wanted.reason &&
           text_of(member(existing, "message")) == wanted.message;
}

json condition_for(
    const json& existing, const kube::ServiceCondition& wanted, const json& meta, WallTime now
) {
    if (existing.is_object() && says_the_same(existing, wanted)) {
        return existing;
    }
    kube::ServiceCondition condition;
    condition.type = wanted.type;
    condition.status = wanted.status;
    condition.reason = wanted.reason;
    condition.message = wanted.message;
    condition.last_transition = now;
    json encoded = kube::encode_condition(condition);
    if (member(meta, "generation").is_number_integer()) {
        encoded["observedGeneration"] = meta["generation"];
    }
    // The time tells when the status turned, not when its reason changed (metav1.Condition).
    const bool same_status = member(existing, "status") == json(wanted.status ? "True" : "False");
    if (same_status && member(existing, "lastTransitionTime").is_string()) {
        encoded["lastTransitionTime"] = existing["lastTransitionTime"];
    }
    return encoded;
}

json conditions_for(
    const json& current,
    const std::optional<kube::ServiceCondition>& wanted,
    const json& meta,
    WallTime now
) {
    json list = json::array();
    json ours;
    for (const json& existing : current) {
        if (text_of(member(existing, "type")) == controller_plan::kConditionType) {
            ours = existing;
        } else {
            list.push_back(existing);
        }
    }
    if (wanted) {
        list.push_back(condition_for(ours, *wanted, meta, now));
    }
    return list;
}

json null_if_empty(json list) {
    return list.empty() ? json() : list;
}

// Lists compare as sets of what they say: our condition may stand anywhere among the others.
bool same_elements(const json& a, const json& b) {
    if (a.size() != b.size()) {
        return false;
    }
    return std::all_of(a.begin(), a.end(), [&](const json& element) {
        return std::find(b.begin(), b.end(), element) != b.end();
    });
}

json list_at(const json& parent, const char* name) {
    const json& list = member(parent, name);
    return list.is_array() ? list : json::array();
}

// The part of the object that a patch is built from, as the server has it.
json as_json(const kube::Service& service) {
    json object = json::object();
    json& meta = object["metadata"];
    meta["resourceVersion"] = service.meta.resource_version;
    if (service.generation != 0) {
        meta["generation"] = service.generation;
    }
    const auto pool = service.meta.annotations.find(ipam::kAllocatedFromAnnotation);
    if (pool != service.meta.annotations.end()) {
        meta["annotations"][pool->first] = pool->second;
    }
    json& status = object["status"];
    for (const kube::LoadBalancerIngress& ingress : service.ingress) {
        status["loadBalancer"]["ingress"].push_back(kube::encode_ingress(ingress));
    }
    for (const kube::ServiceCondition& condition : service.conditions) {
        status["conditions"].push_back(kube::encode_condition(condition));
    }
    return object;
}

}  // namespace

std::optional<json> status_patch(
    const json& object, const controller_plan::Standing& standing, WallTime now
) {
    const json& meta = member(object, "metadata");
    const json& status = member(object, "status");
    json patch = json::object();

    const json ingress = list_at(member(status, "loadBalancer"), "ingress");
    json wanted_ingress = ingress_for(ingress, standing);
    if (wanted_ingress != ingress) {
        patch["status"]["loadBalancer"]["ingress"] = null_if_empty(std::move(wanted_ingress));
    }
    const json conditions = list_at(status, "conditions");
    json wanted_conditions = conditions_for(conditions, standing.condition, meta, now);
    if (!same_elements(wanted_conditions, conditions)) {
        patch["status"]["conditions"] = null_if_empty(std::move(wanted_conditions));
    }
    const std::string annotation(ipam::kAllocatedFromAnnotation);
    if (text_of(member(member(meta, "annotations"), annotation.c_str())) != standing.pool) {
        json& value = patch["metadata"]["annotations"][annotation];
        value = standing.pool.empty() ? json() : json(standing.pool);
    }
    if (patch.empty()) {
        return std::nullopt;
    }
    patch["metadata"]["resourceVersion"] = member(meta, "resourceVersion");
    return patch;
}

std::optional<json> status_patch(
    const kube::Service& service, const controller_plan::Standing& standing, WallTime now
) {
    return status_patch(as_json(service), standing, now);
}

std::string uid_of(const json& object) {
    return text_of(member(member(object, "metadata"), "uid"));
}

std::string version_of(const json& object) {
    return text_of(member(member(object, "metadata"), "resourceVersion"));
}

json pool_status_patch(const ipam::PoolCount& count) {
    json patch = json::object();
    json& status = patch["status"];
    status["assignedIPv4"] = count.v4.assigned;
    status["assignedIPv6"] = count.v6.assigned;
    status["availableIPv4"] = count.v4.available();
    status["availableIPv6"] = count.v6.available();
    return patch;
}

}  // namespace steelyard::controller
