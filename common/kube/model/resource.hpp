#pragma once

#include "common/base/error.hpp"
#include "common/kube/model/bgp.hpp"
#include "common/kube/model/configuration_state.hpp"
#include "common/kube/model/core.hpp"
#include "common/kube/model/metallb.hpp"
#include "common/kube/model/status.hpp"
#include "common/kube/model/steelyard.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string_view>

// Where a kind lives in the API and how its JSON becomes our value. Resource<T>::kType names the
// endpoint and Resource<T>::decode reads one object; generic code (store, informer) needs no more.
// Decoding is lenient where Kubernetes may grow (unknown fields and enum values) and strict where a
// wrong value would be acted on: then the Error is one line "Service ns/name: spec.ports[0].port: 0
// is not a port (1..65535)".
namespace steelyard::kube {

// Points at static storage: cheap to copy and safe to keep.
struct ResourceType {
    std::string_view group;  // "" for the core group
    std::string_view version;
    std::string_view plural;
    std::string_view kind;
    bool namespaced = true;
    friend bool operator==(const ResourceType&, const ResourceType&) = default;
};

[[nodiscard]] Result<Service> decode_service(const nlohmann::json& object);
[[nodiscard]] Result<EndpointSlice> decode_endpoint_slice(const nlohmann::json& object);
[[nodiscard]] Result<Node> decode_node(const nlohmann::json& object);
[[nodiscard]] Result<Pod> decode_pod(const nlohmann::json& object);
[[nodiscard]] Result<Namespace> decode_namespace(const nlohmann::json& object);
[[nodiscard]] Result<ServiceCidr> decode_service_cidr(const nlohmann::json& object);
[[nodiscard]] Result<IpAddressPool> decode_ip_address_pool(const nlohmann::json& object);
[[nodiscard]] Result<L2Advertisement> decode_l2_advertisement(const nlohmann::json& object);
[[nodiscard]] Result<ServiceL2Status> decode_service_l2_status(const nlohmann::json& object);
[[nodiscard]] Result<BgpPeer> decode_bgp_peer(const nlohmann::json& object);
[[nodiscard]] Result<BgpAdvertisement> decode_bgp_advertisement(const nlohmann::json& object);
[[nodiscard]] Result<Community> decode_community(const nlohmann::json& object);
[[nodiscard]] Result<BfdProfile> decode_bfd_profile(const nlohmann::json& object);
[[nodiscard]] Result<Secret> decode_secret(const nlohmann::json& object);
[[nodiscard]] Result<ServiceBgpStatus> decode_service_bgp_status(const nlohmann::json& object);
[[nodiscard]] Result<BgpSessionState> decode_bgp_session_state(const nlohmann::json& object);
[[nodiscard]] Result<ConfigurationState> decode_configuration_state(const nlohmann::json& object);
[[nodiscard]] Result<AllocationPolicy> decode_allocation_policy(const nlohmann::json& object);
[[nodiscard]] Result<AddressReservation> decode_address_reservation(const nlohmann::json& object);

template <class T>
struct Resource;

template <>
struct Resource<Service> {
    static constexpr ResourceType kType{"", "v1", "services", "Service", true};
    static Result<Service> decode(const nlohmann::json& object) { return decode_service(object); }
};
template <>
struct Resource<EndpointSlice> {
    static constexpr ResourceType kType{
        "discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true};
    static Result<EndpointSlice> decode(const nlohmann::json& object) {
        return decode_endpoint_slice(object);
    }
};
template <>
struct Resource<Node> {
    static constexpr ResourceType kType{"", "v1", "nodes", "Node", false};
    static Result<Node> decode(const nlohmann::json& object) { return decode_node(object); }
};
template <>
struct Resource<Pod> {
    static constexpr ResourceType kType{"", "v1", "pods", "Pod", true};
    static Result<Pod> decode(const nlohmann::json& object) { return decode_pod(object); }
};
template <>
struct Resource<Namespace> {
    static constexpr ResourceType kType{"", "v1", "namespaces", "Namespace", false};
    static Result<Namespace> decode(const nlohmann::json& object) {
        return decode_namespace(object);
    }
};
template <>
struct Resource<ServiceCidr> {
    static constexpr ResourceType kType{
        "networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", false};
    static Result<ServiceCidr> decode(const nlohmann::json& object) {
        return decode_service_cidr(object);
    }
};
template <>
struct Resource<IpAddressPool> {
    static constexpr ResourceType kType{
        "metallb.io", "v1beta1", "ipaddresspools", "IPAddressPool", true};
    static Result<IpAddressPool> decode(const nlohmann::json& object) {
        return decode_ip_address_pool(object);
    }
};
template <>
struct Resource<L2Advertisement> {
    static constexpr ResourceType kType{
        "metallb.io", "v1beta1", "l2advertisements", "L2Advertisement", true};
    static Result<L2Advertisement> decode(const nlohmann::json& object) {
        return decode_l2_advertisement(object);
    }
};
template <>
struct Resource<ServiceL2Status> {
    static constexpr ResourceType kType{
        "metallb.io", "v1beta1", "servicel2statuses", "ServiceL2Status", true};
    static Result<ServiceL2Status> decode(const nlohmann::json& object) {
        return decode_service_l2_status(object);
    }
};
template <>
struct Resource<BgpPeer> {
    static constexpr ResourceType kType{"metallb.io", "v1beta2", "bgppeers", "BGPPeer", true};
    static Result<BgpPeer> decode(const nlohmann::json& object) { return decode_bgp_peer(object); }
};
template <>
struct Resource<BgpAdvertisement> {
    static constexpr ResourceType kType{
        "metallb.io", "v1beta1", "bgpadvertisements", "BGPAdvertisement", true};
    static Result<BgpAdvertisement> decode(const nlohmann::json& object) {
        return decode_bgp_advertisement(object);
    }
};
template <>
struct Resource<Community> {
    static constexpr ResourceType kType{"metallb.io", "v1beta1", "communities", "Community", true};
    static Result<Community> decode(const nlohmann::json& object) {
        return decode_community(object);
    }
};
template <>
struct Resource<BfdProfile> {
    static constexpr ResourceType kType{"metallb.io", "v1beta1", "bfdprofiles", "BFDProfile", true};
    static Result<BfdProfile> decode(const nlohmann::json& object) {
        return decode_bfd_profile(object);
    }
};
template <>
struct Resource<Secret> {
    static constexpr ResourceType kType{"", "v1", "secrets", "Secret", true};
    static Result<Secret> decode(const nlohmann::json& object) { return decode_secret(object); }
};
template <>
struct Resource<ServiceBgpStatus> {
    static constexpr ResourceType kType{
        "metallb.io", "v1beta1", "servicebgpstatuses", "ServiceBGPStatus", true};
    static Result<ServiceBgpStatus> decode(const nlohmann::json& object) {
        return decode_service_bgp_status(object);
    }
};
template <>
struct Resource<BgpSessionState> {
    static constexpr ResourceType kType{
        "steelyard.io", "v1alpha1", "bgpsessionstates", "BGPSessionState", true};
    static Result<BgpSessionState> decode(const nlohmann::json& object) {
        return decode_bgp_session_state(object);
    }
};
template <>
struct Resource<ConfigurationState> {
    static constexpr ResourceType kType{
        "metallb.io", "v1beta1", "configurationstates", "ConfigurationState", true};
    static Result<ConfigurationState> decode(const nlohmann::json& object) {
        return decode_configuration_state(object);
    }
};
template <>
struct Resource<AllocationPolicy> {
    static constexpr ResourceType kType{
        "steelyard.io", "v1alpha1", "allocationpolicies", "AllocationPolicy", true};
    static Result<AllocationPolicy> decode(const nlohmann::json& object) {
        return decode_allocation_policy(object);
    }
};
template <>
struct Resource<AddressReservation> {
    static constexpr ResourceType kType{
        "steelyard.io", "v1alpha1", "addressreservations", "AddressReservation", true};
    static Result<AddressReservation> decode(const nlohmann::json& object) {
        return decode_address_reservation(object);
    }
};

inline constexpr ResourceType kEventType{"", "v1", "events", "Event", true};

}  // namespace steelyard::kube
