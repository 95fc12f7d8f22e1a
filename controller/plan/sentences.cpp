#include "controller/plan/sentences.hpp"

namespace steelyard::controller_plan::sentences {
namespace {

// ["192.0.2.1" "2001:db8::1"], the way the field's tools print a list of addresses.
std::string list(const std::vector<net::IpAddress>& addresses) {
    std::string text;
    for (const net::IpAddress& address : addresses) {
        text += (text.empty() ? "\"" : " \"") + to_string(address) + "\"";
    }
    return "[" + text + "]";
}

kube::ServiceCondition condition(bool status, std::string reason, std::string message) {
    kube::ServiceCondition made;
    made.type = kConditionType;
    made.status = status;
    made.reason = std::move(reason);
    made.message = std::move(message);
    return made;
}

}  // namespace

Event allocated(const std::vector<net::IpAddress>& addresses) {
    return {false, std::string(kIpAllocated), "Assigned IP " + list(addresses)};
}

Event cleared(const std::vector<net::IpAddress>& addresses, const ipam::Refusal& refusal) {
    if (addresses.size() > 2 ||
        (addresses.size() == 2 && addresses[0].family() == addresses[1].family())) {
        return {
            true,
            std::string(kUnclearAddresses),
            "Taking back IP " + list(addresses) +
                ": a Service has one address, or one IPv4 and one IPv6"};
    }
    return {
        false,
        std::string(kClearAssignment),
        "Taking back IP " + list(addresses) + ": " + refusal.message};
}

Event failed(const kube::ObjectKey& service, const ipam::Refusal& refusal) {
    if (refusal.reason == ipam::Reason::InvalidRequest) {
        return {true, std::string(kLoadBalancerFailed), refusal.message};
    }
    if (refusal.reason == ipam::Reason::DualStackNotPossible) {
        return {true, std::string(kNotEnoughClusterIps), refusal.message};
    }
    if (refusal.reason == ipam::Reason::NoClusterIp ||
        refusal.reason == ipam::Reason::UnclearClusterIps) {
        return {true, std::string(kUnclearClusterIps), refusal.message};
    }
    return {
        true,
        std::string(kAllocationFailed),
        "Failed to allocate IP for \"" + to_string(service) + "\": " + refusal.message};
}

Event second_failed(const kube::ObjectKey& service, const ipam::Refusal& refusal) {
    return {
        false,
        std::string(kAdditionalAssignFailed),
        "No second IP for \"" + to_string(service) + "\": " + refusal.message};
}

Event deprecated(const std::string& annotation) {
    return {
        true,
        std::string(kDeprecatedAnnotation),
        "Annotation " + annotation + " is deprecated: use the prefix metallb.io/ instead of " +
            annotation.substr(0, annotation.find('/') + 1)};
}

kube::ServiceCondition assigned(const Standing& standing) {
    return condition(
        true, "Assigned", list(standing.addresses) + " from pool \"" + standing.pool + "\""
    );
}

kube::ServiceCondition assigned_but(const ipam::Refusal& refusal) {
    return condition(true, std::string(to_string(refusal.reason)), refusal.message);
}

kube::ServiceCondition not_assigned(const ipam::Refusal& refusal) {
    return condition(false, std::string(to_string(refusal.reason)), refusal.message);
}

}  // namespace steelyard::controller_plan::sentences
