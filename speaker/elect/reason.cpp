#include "speaker/elect/elect.hpp"

namespace steelyard::elect {

std::string_view to_string(Reason reason) {
    switch (reason) {
        case Reason::NotAlive:
            return "notAlive";
        case Reason::Unreachable:
            return "unreachable";
        case Reason::NotReady:
            return "notReady";
        case Reason::NetworkUnavailable:
            return "nodeNetworkUnavailable";
        case Reason::ExcludedByLabel:
            return "nodeLabeledExcludeBalancers";
        case Reason::NotSelected:
            return "notSelected";
        case Reason::NoLocalEndpoint:
            return "noLocalEndpoints";
        case Reason::NotServable:
            return "notServable";
        case Reason::NoInterface:
            return "noInterface";
        case Reason::LinkDown:
            return "linkDown";
        case Reason::ForeignDefers:
            return "foreignDefers";
    }
    return "unknown";
}

std::string_view sentence(Reason reason) {
    switch (reason) {
        case Reason::NotAlive:
            return "it is not a live member of the speakers' ring";
        case Reason::Unreachable:
            return "the nodes that watch it get no heartbeat from it";
        case Reason::NotReady:
            return "its speaker has not programmed its kernel yet";
        case Reason::NetworkUnavailable:
            return "its condition NetworkUnavailable is True";
        case Reason::ExcludedByLabel:
            return "it has the label node.kubernetes.io/exclude-from-external-load-balancers";
        case Reason::NotSelected:
            return "no L2Advertisement of the address selects it";
        case Reason::NoLocalEndpoint:
            return "externalTrafficPolicy is Local and no serving endpoint runs on it";
        case Reason::NotServable:
            return "its kernel does not forward the address";
        case Reason::NoInterface:
            return "none of its usable interfaces is allowed by the L2Advertisements";
        case Reason::LinkDown:
            return "every interface the L2Advertisements allow on it has lost its link";
        case Reason::ForeignDefers:
            return "its MetalLB speaker leaves the address to a node that it believes can serve it";
    }
    return "of an unknown rule";
}

}  // namespace steelyard::elect
