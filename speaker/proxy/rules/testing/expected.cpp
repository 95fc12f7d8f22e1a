#include "speaker/proxy/rules/testing/expected.hpp"

#include <array>
#include <string_view>

namespace steelyard::proxy::oracle {
namespace {

using Kind = LocalDetection::Kind;

// Whether the proxy can tell that the client is a pod of the cluster. Interfaces and a node's own
// range only show those on this node.
bool known_pod(const Case& c) {
    switch (c.client) {
        case Client::PodHere:
            return c.detect != Kind::None;
        case Client::PodElsewhere:
            return c.detect == Kind::ClusterCidr;
        case Client::Node:
        case Client::External:
            break;
    }
    return false;
}

// Beyond kube-proxy: without a detector the node's own ranges still tell its pods, as far as a
// Local policy is concerned.
bool known_by_address(const Case& c) {
    return c.detect == Kind::None && c.client == Client::PodHere && c.node_pod_cidrs_known;
}

Source cluster_ip_source(const Case& c) {
    // The node's own packets may have the virtual address as their source, which is no address to
    // answer to.
    if (c.masquerade_all || c.client == Client::Node) {
        return Source::Node;
    }
    // Who is not known for a pod is taken for somebody outside, where anybody is known at all.
    return c.detect == Kind::None || known_pod(c) ? Source::Kept : Source::Node;
}

// A client inside the cluster that a Local policy does not hold. Its answers have to pass this
// node: those to its own pods do. For pods elsewhere this goes beyond kube-proxy, which loses the
// connection. Where the two cannot be told apart it depends on the frontend: a virtual address is
// met on the client's own node, so whoever comes here with one is of this node; another node's port
// is asked over the network by anybody.
Source short_circuit_source(const Case& c) {
    if (c.client == Client::Node) {
        return Source::Node;
    }
    if (c.detect == Kind::ClusterCidr && !c.node_pod_cidrs_known) {
        return c.frontend == Frontend::NodePort ? Source::Node : Source::Kept;
    }
    return c.client == Client::PodElsewhere ? Source::Node : Source::Kept;
}

}  // namespace

Answer expected(const Case& c) {
    if (c.frontend == Frontend::LoadBalancer && c.outside_ranges) {
        return {Reaches::Dropped, Source::Kept};
    }
    if (!c.endpoints_here && !c.endpoints_elsewhere) {
        return {Reaches::Refused, Source::Kept};
    }
    if (c.frontend == Frontend::ClusterIp) {
        if (!c.internal_local) {
            return {Reaches::All, cluster_ip_source(c)};
        }
        return {c.endpoints_here ? Reaches::Here : Reaches::Dropped, cluster_ip_source(c)};
    }
    if (!c.external_local) {
        return {Reaches::All, Source::Node};
    }
    if (c.client == Client::Node || known_pod(c) || known_by_address(c)) {
        return {Reaches::All, short_circuit_source(c)};
    }
    return {c.endpoints_here ? Reaches::Here : Reaches::Dropped, Source::Kept};
}

std::string to_string(const Case& c) {
    constexpr std::array<std::string_view, 4> kClients{
        "a pod here", "a pod elsewhere", "the node", "an external client"};
    constexpr std::array<std::string_view, 4> kFrontends{
        "ClusterIP", "NodePort", "ExternalIP", "LoadBalancer"};
    constexpr std::array<std::string_view, 5> kDetect{
        "no detector", "ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix"};
    std::string text;
    text += kClients.at(static_cast<std::size_t>(c.client));
    text += " to ";
    text += kFrontends.at(static_cast<std::size_t>(c.frontend));
    text += c.external_local ? ", external Local" : "";
    text += c.internal_local ? ", internal Local" : "";
    text += c.endpoints_here ? ", endpoints here" : "";
    text += c.endpoints_elsewhere ? ", endpoints elsewhere" : "";
    text += c.outside_ranges ? ", outside the source ranges" : "";
    text += c.node_pod_cidrs_known ? ", node's pod ranges known" : "";
    text += c.masquerade_all ? ", masqueradeAll" : "";
    text += ", ";
    text += kDetect.at(static_cast<std::size_t>(c.detect));
    return text;
}

std::string to_string(const Answer& answer) {
    const std::string source = answer.source == Source::Kept ? ", source kept" : ", source node";
    switch (answer.reaches) {
        case Reaches::All:
            return "all" + source;
        case Reaches::Here:
            return "those here" + source;
        case Reaches::Refused:
            return "refused";
        case Reaches::Dropped:
            return "dropped";
    }
    return "";
}

}  // namespace steelyard::proxy::oracle
