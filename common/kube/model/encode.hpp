#pragma once

#include "common/base/time.hpp"
#include "common/kube/model/condition.hpp"
#include "common/kube/model/core.hpp"
#include "common/kube/model/resource.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What Steelyard writes to the API: core/v1 Events, conditions and status merge patches
// (application/merge-patch+json), plus RFC 3339 time. Pure values in, JSON out; which fields of
// other writers must survive is the caller's decision, expressed by what it puts in.
namespace steelyard::kube {

// RFC 3339 with or without a fraction and with any offset, as metav1.Time and MicroTime print it.
[[nodiscard]] std::optional<WallTime> parse_rfc3339(std::string_view text);
[[nodiscard]] std::string format_rfc3339(WallTime time);        // "2026-01-02T03:04:05Z"
[[nodiscard]] std::string format_rfc3339_micro(WallTime time);  // "...:05.000123Z", for Leases

// Who an Event is about.
struct ObjectReference {
    ResourceType type;
    ObjectKey key;
    std::string uid;
    std::string resource_version;
    friend bool operator==(const ObjectReference&, const ObjectReference&) = default;
};

template <class T>
[[nodiscard]] ObjectReference reference_to(const T& object) {
    return ObjectReference{
        Resource<T>::kType, object.meta.key, object.meta.uid, object.meta.resource_version};
}

enum class EventType { Normal, Warning };

struct Event {
    ObjectReference involved;
    EventType type = EventType::Normal;
    std::string reason;     // CamelCase, as MetalLB's: IPAllocated, AllocationFailed, nodeAssigned
    std::string message;    // cut at 1024 bytes when encoded, the server's limit
    std::string component;  // source.component
    friend bool operator==(const Event&, const Event&) = default;
};

// The same object, type, reason, message and component always give the same name, so a repeat, even
// after a restart, updates the count of one Event instead of adding another:
// "svc.0123456789abcdef".
[[nodiscard]] std::string event_name(const Event& event);
// Events about cluster-scoped objects live in "default", as client-go's recorder puts them.
[[nodiscard]] std::string event_namespace(const Event& event);
[[nodiscard]] nlohmann::json encode_event(
    const Event& event, std::int64_t count, WallTime first, WallTime last
);

[[nodiscard]] nlohmann::json encode_condition(const Condition& condition);

// Entries of a Service's status. What was decoded comes out as it was, fields we do not know
// included.
[[nodiscard]] nlohmann::json encode_condition(const ServiceCondition& condition);
[[nodiscard]] nlohmann::json encode_ingress(const LoadBalancerIngress& ingress);
// {"metadata":{"resourceVersion":...},"status":{"loadBalancer":{"ingress":[...]}}}: the whole list
// is replaced, and the server answers 409 when the Service changed since `resource_version`. An
// empty list clears the field (null).
[[nodiscard]] nlohmann::json service_status_patch(
    const std::vector<LoadBalancerIngress>& ingress, const std::string& resource_version
);
// {"metadata":{"annotations":{...}}}; nullopt removes an annotation.
[[nodiscard]] nlohmann::json annotations_patch(
    const std::map<std::string, std::optional<std::string>>& annotations,
    const std::string& resource_version
);

// The status objects of speakers. The object for POST: the server ignores the status of a new
// object, so that the status patch follows.
[[nodiscard]] nlohmann::json encode_object(const ServiceL2Status& status);
[[nodiscard]] nlohmann::json encode_object(const ServiceBgpStatus& status);
[[nodiscard]] nlohmann::json encode_object(const BgpSessionState& status);
// {"metadata":{"labels":...,"ownerReferences":[...]}}
[[nodiscard]] nlohmann::json metadata_patch(const ServiceL2Status& status);
[[nodiscard]] nlohmann::json metadata_patch(const ServiceBgpStatus& status);
[[nodiscard]] nlohmann::json metadata_patch(const BgpSessionState& status);
// {"status":{...}} for the subresource; what is empty or unknown is cleared (null).
[[nodiscard]] nlohmann::json status_patch(const ServiceL2Status& status);
[[nodiscard]] nlohmann::json status_patch(const ServiceBgpStatus& status);
[[nodiscard]] nlohmann::json status_patch(const BgpSessionState& status);

// The whole object with its status, for server-side apply: the kind has no status subresource.
[[nodiscard]] nlohmann::json encode_object(const ConfigurationState& state);

// The object for POST, without status, which is a subresource of its own.
[[nodiscard]] nlohmann::json encode_object(const AllocationPolicy& policy);
[[nodiscard]] nlohmann::json encode_object(const AddressReservation& reservation);
// {"metadata":{"resourceVersion":...},"status":{...}} for the subresource: 409 when the object
// changed since. What is unknown is cleared (null).
[[nodiscard]] nlohmann::json status_patch(const AddressReservation& reservation);

}  // namespace steelyard::kube
