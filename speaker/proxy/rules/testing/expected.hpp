#pragma once

#include "speaker/proxy/config.hpp"

#include <string>

// What a client of a Service is owed, written from Kubernetes' documents and not from our rules:
// the oracle that both the tracer and real packets are compared with. Tests only.
namespace steelyard::proxy::oracle {

enum class Client { PodHere, PodElsewhere, Node, External };
enum class Frontend { ClusterIp, NodePort, ExternalIp, LoadBalancer };

// One kind of connection attempt that arrives at, or starts on, this node.
struct Case {
    Client client = Client::External;
    Frontend frontend = Frontend::ClusterIp;
    bool external_local = false;  // externalTrafficPolicy: Local
    bool internal_local = false;  // internalTrafficPolicy: Local
    bool endpoints_here = true;
    bool endpoints_elsewhere = true;
    // loadBalancerSourceRanges is not empty and leaves the client out.
    bool outside_ranges = false;
    LocalDetection::Kind detect = LocalDetection::Kind::None;
    bool node_pod_cidrs_known = false;
    bool masquerade_all = false;
};
[[nodiscard]] std::string to_string(const Case& c);

enum class Reaches {
    All,      // any of the Service's endpoints
    Here,     // any of those on this node
    Refused,  // at once
    Dropped,  // silence
};
// What the endpoint sees as the client's address. A pod that reaches itself sees the node's,
// whatever is said here.
enum class Source { Kept, Node };

struct Answer {
    Reaches reaches = Reaches::All;
    Source source = Source::Kept;  // where something is reached
    friend bool operator==(const Answer&, const Answer&) = default;
};
[[nodiscard]] std::string to_string(const Answer& answer);

[[nodiscard]] Answer expected(const Case& c);

}  // namespace steelyard::proxy::oracle
