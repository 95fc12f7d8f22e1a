#pragma once

#include "common/kube/model/core.hpp"
#include "controller/ipam/reason.hpp"

#include <boost/system/result.hpp>

#include <string>
#include <string_view>
#include <vector>

// What a Service asks of the allocator, read from its spec and annotations (metallb.io, and the
// deprecated metallb.universe.tf/ names, which give way to the new ones).
namespace steelyard::ipam {

inline constexpr std::string_view kAddressPoolAnnotation = "metallb.io/address-pool";
inline constexpr std::string_view kAddressesAnnotation = "metallb.io/loadBalancerIPs";
inline constexpr std::string_view kSharingAnnotation = "metallb.io/allow-shared-ip";
inline constexpr std::string_view kAllocatedFromAnnotation = "metallb.io/ip-allocated-from-pool";

template <class T>
using Verdict = boost::system::result<T, Refusal>;

struct Port {
    net::Protocol protocol = net::Protocol::Tcp;
    std::uint16_t number = 0;
    friend bool operator==(const Port&, const Port&) = default;
};

// Services with the same non-empty key may share an address when they use different ports and the
// same backend: "" for externalTrafficPolicy Cluster, the pod selector for Local, because with
// Local every sharer must have its endpoints on the node that gets the traffic.
struct Sharing {
    std::string key;
    std::string backend;
    std::vector<Port> ports;
    friend bool operator==(const Sharing&, const Sharing&) = default;
};

inline const kube::Labels kNoLabels;

struct Request {
    kube::ObjectKey service;
    // Of the Service and of its Namespace; not owned: a Request lives as long as one decision.
    const kube::Labels* service_labels = &kNoLabels;
    const kube::Labels* namespace_labels = &kNoLabels;
    std::vector<net::Family> families;  // of the cluster IPs, primary first; one or two
    kube::IpFamilyPolicy policy = kube::IpFamilyPolicy::SingleStack;
    std::vector<net::IpAddress> addresses;  // asked for by value; empty: any
    std::string pool;                       // asked for by name; "": any
    Sharing sharing;
};

// The Request refers to the labels of both arguments.
[[nodiscard]] Verdict<Request> parse_request(
    const kube::Service& service, const kube::Labels& namespace_labels
);
// The same as if the Service asked for no address by value: what it may keep while that part of it
// cannot be read.
[[nodiscard]] Verdict<Request> parse_request_for_any(
    const kube::Service& service, const kube::Labels& namespace_labels
);

// The deprecated annotations the Service carries, by full name.
[[nodiscard]] std::vector<std::string> deprecated_annotations(const kube::Service& service);

}  // namespace steelyard::ipam
