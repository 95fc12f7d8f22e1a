#include "controller/check/schema.hpp"

// crds/fields.txt, what a user writes of it.
namespace steelyard::check {
namespace {

constexpr FieldRule kIPAddressPool[] = {
    {"addresses", "[]string"},
    {"autoAssign", "boolean"},
    {"avoidBuggyIPs", "boolean"},
    {"serviceAllocation", "object"},
    {"serviceAllocation.priority", "integer"},
    {"serviceAllocation.namespaces", "[]string"},
    {"serviceAllocation.namespaceSelectors", "[]selector"},
    {"serviceAllocation.serviceSelectors", "[]selector"},
};
constexpr FieldRule kL2Advertisement[] = {
    {"ipAddressPools", "[]string"},
    {"ipAddressPoolSelectors", "[]selector"},
    {"nodeSelectors", "[]selector"},
    {"interfaces", "[]string"},
    {"serviceSelectors", "[]selector"},
    {"preferredNodeSelectors", "[]object"},
    {"preferredNodeSelectors[].weight", "integer"},
    {"preferredNodeSelectors[].preference", "selector"},
};
constexpr FieldRule kBGPAdvertisement[] = {
    {"aggregationLength", "integer"},
    {"aggregationLengthV6", "integer"},
    {"localPref", "integer"},
    {"communities", "[]string"},
    {"ipAddressPools", "[]string"},
    {"ipAddressPoolSelectors", "[]selector"},
    {"nodeSelectors", "[]selector"},
    {"peers", "[]string"},
    {"serviceSelectors", "[]selector"},
    {"med", "integer"},
    {"asPathPrepend", "integer"},
    {"linkBandwidth", "boolean"},
};
constexpr FieldRule kBGPPeerOld[] = {
    {"myASN", "integer"},
    {"peerASN", "integer"},
    {"peerAddress", "string"},
    {"sourceAddress", "string"},
    {"peerPort", "integer"},
    {"holdTime", "string"},
    {"keepaliveTime", "string"},
    {"routerID", "string"},
    {"nodeSelectors", "[]selector"},
    {"password", "string"},
    {"bfdProfile", "string"},
    {"ebgpMultiHop", "boolean"},
};
constexpr FieldRule kBGPPeer[] = {
    {"myASN", "integer"},
    {"peerASN", "integer"},
    {"dynamicASN", "string"},
    {"localASN", "integer"},
    {"peerAddress", "string"},
    {"interface", "string"},
    {"sourceAddress", "string"},
    {"peerPort", "integer"},
    {"holdTime", "string"},
    {"keepaliveTime", "string"},
    {"connectTime", "string"},
    {"routerID", "string"},
    {"nodeSelectors", "[]selector"},
    {"password", "string"},
    {"passwordSecret", "object"},
    {"passwordSecret.name", "string"},
    {"passwordSecret.namespace", "string"},
    {"bfdProfile", "string"},
    {"enableGracefulRestart", "boolean"},
    {"ebgpMultiHop", "boolean"},
    {"vrf", "string"},
    {"disableMP", "boolean"},
    {"dualStackAddressFamily", "boolean"},
    {"passiveMode", "boolean"},
    {"ttlSecurityHops", "integer"},
    {"role", "string"},
    {"restartTime", "string"},
};
constexpr FieldRule kCommunity[] = {
    {"communities", "[]object"},
    {"communities[].name", "string"},
    {"communities[].value", "string"},
};
constexpr FieldRule kBFDProfile[] = {
    {"receiveInterval", "integer"},
    {"transmitInterval", "integer"},
    {"detectMultiplier", "integer"},
    {"echoInterval", "integer"},
    {"echoMode", "boolean"},
    {"passiveMode", "boolean"},
    {"minimumTtl", "integer"},
};
constexpr FieldRule kAllocationPolicy[] = {
    {"ipAddressPools", "[]string"},
    {"ipAddressPoolSelectors", "[]selector"},
    {"exclude", "[]string"},
    {"quotas", "[]object"},
    {"quotas[].namespaces", "[]string"},
    {"quotas[].namespaceSelectors", "[]selector"},
    {"quotas[].addresses", "integer"},
    {"keepAfterDelete", "string"},
};
constexpr FieldRule kAddressReservation[] = {
    {"serviceNamespace", "string"},
    {"serviceName", "string"},
    {"addresses", "[]string"},
    {"keepFor", "string"},
};

constexpr KindRule kKinds[] = {
    {"metallb.io/v1beta1", "IPAddressPool", kIPAddressPool},
    {"metallb.io/v1beta1", "L2Advertisement", kL2Advertisement},
    {"metallb.io/v1beta1", "BGPAdvertisement", kBGPAdvertisement},
    {"metallb.io/v1beta1", "BGPPeer", kBGPPeerOld},
    {"metallb.io/v1beta2", "BGPPeer", kBGPPeer},
    {"metallb.io/v1beta1", "Community", kCommunity},
    {"metallb.io/v1beta1", "BFDProfile", kBFDProfile},
    {"steelyard.io/v1alpha1", "AllocationPolicy", kAllocationPolicy},
    {"steelyard.io/v1alpha1", "AddressReservation", kAddressReservation},
};

}  // namespace

std::span<const KindRule> kind_rules() {
    return kKinds;
}

}  // namespace steelyard::check
