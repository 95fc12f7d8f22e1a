#include "common/kube/model/encode.hpp"

#include <cstdio>

namespace steelyard::kube {
namespace {

// FNV-1a: names must stay the same over restarts and versions, which std::hash does not promise.
class Fingerprint {
public:
    void add(std::string_view text) {
        for (const char c : text) {
            add_byte(static_cast<unsigned char>(c));
        }
        add_byte(0);  // so that "ab","c" and "a","bc" differ
    }
    [[nodiscard]] std::string hex() const {
        char text[17];
        std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value_));
        return text;
    }

private:
    void add_byte(unsigned char byte) {
        constexpr std::uint64_t kPrime = 0x100000001b3;
        value_ = (value_ ^ byte) * kPrime;
    }
    std::uint64_t value_ = 0xcbf29ce484222325;
};

std::string_view type_text(EventType type) {
    return type == EventType::Warning ? "Warning" : "Normal";
}

std::string api_version(const ResourceType& type) {
    return type.group.empty() ? std::string(type.version)
                              : std::string(type.group) + "/" + std::string(type.version);
}

// At most `limit` bytes, never ending inside a UTF-8 sequence.
std::string cut(const std::string& text, std::size_t limit) {
    if (text.size() <= limit) {
        return text;
    }
    constexpr unsigned kTopBits = 0xC0;
    constexpr unsigned kContinuation = 0x80;
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & kTopBits) == kContinuation) {
        --limit;
    }
    return text.substr(0, limit);
}

nlohmann::json with_version(const std::string& resource_version) {
    nlohmann::json patch = nlohmann::json::object();
    if (!resource_version.empty()) {
        patch["metadata"]["resourceVersion"] = resource_version;
    }
    return patch;
}

}  // namespace

std::string event_namespace(const Event& event) {
    return event.involved.key.ns.empty() ? "default" : event.involved.key.ns;
}

std::string event_name(const Event& event) {
    Fingerprint fingerprint;
    fingerprint.add(event.involved.type.kind);
    fingerprint.add(event.involved.key.ns);
    fingerprint.add(event.involved.key.name);
    fingerprint.add(event.involved.uid);
    fingerprint.add(type_text(event.type));
    fingerprint.add(event.reason);
    fingerprint.add(event.message);
    fingerprint.add(event.component);
    constexpr std::size_t kRoomForHash = 17;
    constexpr std::size_t kMaxName = 253;
    return cut(event.involved.key.name, kMaxName - kRoomForHash) + "." + fingerprint.hex();
}

nlohmann::json encode_event(const Event& event, std::int64_t count, WallTime first, WallTime last) {
    constexpr std::size_t kMaxMessage = 1024;
    constexpr std::size_t kMaxReason = 128;
    const ObjectReference& about = event.involved;
    nlohmann::json involved;
    involved["apiVersion"] = api_version(about.type);
    involved["kind"] = about.type.kind;
    involved["name"] = about.key.name;
    if (!about.key.ns.empty()) {
        involved["namespace"] = about.key.ns;
    }
    if (!about.uid.empty()) {
        involved["uid"] = about.uid;
    }
    if (!about.resource_version.empty()) {
        involved["resourceVersion"] = about.resource_version;
    }
    nlohmann::json object;
    object["apiVersion"] = "v1";
    object["kind"] = "Event";
    object["metadata"]["name"] = event_name(event);
    object["metadata"]["namespace"] = event_namespace(event);
    object["involvedObject"] = std::move(involved);
    object["type"] = type_text(event.type);
    object["reason"] = cut(event.reason, kMaxReason);
    object["message"] = cut(event.message, kMaxMessage);
    object["source"]["component"] = event.component;
    object["reportingComponent"] = event.component;
    object["reportingInstance"] = "";
    object["count"] = count;
    object["firstTimestamp"] = format_rfc3339(first);
    object["lastTimestamp"] = format_rfc3339(last);
    object["eventTime"] = nullptr;
    return object;
}

nlohmann::json encode_condition(const Condition& condition) {
    nlohmann::json object;
    object["type"] = condition.type;
    object["status"] = condition.status ? "True" : "False";
    object["reason"] = condition.reason;
    object["message"] = condition.message;
    object["observedGeneration"] = condition.observed_generation;
    object["lastTransitionTime"] = format_rfc3339(condition.last_transition);
    return object;
}

nlohmann::json encode_condition(const ServiceCondition& condition) {
    if (!condition.as_written.empty()) {
        return nlohmann::json::parse(condition.as_written, nullptr, false);
    }
    nlohmann::json object;
    object["type"] = condition.type;
    object["status"] = condition.status ? "True" : "False";
    object["reason"] = condition.reason;
    object["message"] = condition.message;
    if (condition.observed_generation != 0) {
        object["observedGeneration"] = condition.observed_generation;
    }
    if (condition.last_transition != WallTime{}) {
        object["lastTransitionTime"] = format_rfc3339(condition.last_transition);
    }
    return object;
}

nlohmann::json encode_ingress(const LoadBalancerIngress& ingress) {
    if (!ingress.as_written.empty()) {
        return nlohmann::json::parse(ingress.as_written, nullptr, false);
    }
    nlohmann::json object = nlohmann::json::object();
    if (ingress.ip) {
        object["ip"] = net::to_string(*ingress.ip);
    }
    if (!ingress.hostname.empty()) {
        object["hostname"] = ingress.hostname;
    }
    if (!ingress.ip_mode.empty()) {
        object["ipMode"] = ingress.ip_mode;
    }
    return object;
}

nlohmann::json service_status_patch(
    const std::vector<LoadBalancerIngress>& ingress, const std::string& resource_version
) {
    nlohmann::json patch = with_version(resource_version);
    nlohmann::json list;
    for (const LoadBalancerIngress& item : ingress) {
        list.push_back(encode_ingress(item));
    }
    patch["status"]["loadBalancer"]["ingress"] = std::move(list);  // null when empty: remove
    return patch;
}

nlohmann::json annotations_patch(
    const std::map<std::string, std::optional<std::string>>& annotations,
    const std::string& resource_version
) {
    nlohmann::json patch = with_version(resource_version);
    nlohmann::json& target = patch["metadata"]["annotations"];
    target = nlohmann::json::object();
    for (const auto& [key, value] : annotations) {
        if (value) {
            target[key] = *value;
        } else {
            target[key] = nullptr;
        }
    }
    return patch;
}

}  // namespace steelyard::kube
