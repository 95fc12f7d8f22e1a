#pragma once

#include "common/base/time.hpp"
#include "common/kube/model/meta.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// The status objects a speaker writes: what it says about the Services and peers of its node. They
// are written with encode.hpp (encode_object, metadata_patch, status_patch).
namespace steelyard::kube {

// The speaker's pod: Kubernetes deletes the objects it owns with it.
struct PodOwner {
    std::string name;
    std::string uid;
    friend bool operator==(const PodOwner&, const PodOwner&) = default;
};

// metallb.io/v1beta1 ServiceL2Status: what the speaker of `node` says about one Service.
struct ServiceL2Status {
    struct Conflict {
        std::string ip;
        std::string mac;
        friend bool operator==(const Conflict&, const Conflict&) = default;
    };
    using Owner = PodOwner;
    ObjectMeta meta;
    std::optional<PodOwner> owner;
    std::string node;
    ObjectKey service;
    std::vector<std::string> interfaces;  // empty: every suitable one
    std::vector<Conflict> conflicts;      // other machines that answer for it; Steelyard only
    friend bool operator==(const ServiceL2Status&, const ServiceL2Status&) = default;
};

// metallb.io/v1beta1 ServiceBGPStatus: to which peers `node` advertises one Service.
struct ServiceBgpStatus {
    ObjectMeta meta;
    std::optional<PodOwner> owner;
    std::string node;
    ObjectKey service;
    std::vector<std::string> peers;  // names of BGPPeers
    friend bool operator==(const ServiceBgpStatus&, const ServiceBgpStatus&) = default;
};

// steelyard.io/v1alpha1 BGPSessionState: one session of one node.
struct BgpSessionState {
    ObjectMeta meta;
    std::optional<PodOwner> owner;
    std::string node;
    std::string peer;     // name of the BGPPeer
    std::string address;  // of the peer; "" while an unnumbered one is not found
    std::string bgp;      // state of RFC 4271: Idle ... Established
    std::string bfd;      // state of RFC 5880, or N/A
    std::string reason;   // CamelCase; why it is not established, "" when it is
    std::string message;
    std::optional<WallTime> since;  // of the state; written with whole seconds
    std::int64_t sent_ipv4 = 0;     // prefixes the peer holds from us
    std::int64_t sent_ipv6 = 0;
    std::int64_t remote_asn = 0;  // 0: not known yet
    std::int64_t restarts = 0;    // times the session was lost since the speaker started
    friend bool operator==(const BgpSessionState&, const BgpSessionState&) = default;
};

}  // namespace steelyard::kube
