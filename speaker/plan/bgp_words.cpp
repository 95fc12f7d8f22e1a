#include "speaker/plan/bgp.hpp"

// What people read about BGP.
namespace steelyard::speaker_plan {
namespace {

std::string names_of(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

template <class T>
void add_communities(std::string& text, const std::vector<T>& communities) {
    for (const T& community : communities) {
        text += ", community " + config::format_community(community);
    }
}

std::string text_of(const BgpAttributes& attributes) {
    std::string text;
    if (attributes.local_pref) {
        text += ", localPref " + std::to_string(*attributes.local_pref);
    }
    if (attributes.med) {
        text += ", MED " + std::to_string(*attributes.med);
    }
    if (attributes.prepend != 0) {
        text += ", AS path prepended " + std::to_string(attributes.prepend) + " times";
    }
    add_communities(text, attributes.communities.standard);
    add_communities(text, attributes.communities.large);
    add_communities(text, attributes.communities.extended);
    if (attributes.link_bandwidth_weight) {
        text += ", link bandwidth weight " + std::to_string(*attributes.link_bandwidth_weight);
    }
    return text;
}

std::string text_of(const BgpPaths& paths) {
    std::string text;
    for (const BgpPath& path : paths) {
        text += "  to ";
        if (path.peers.empty()) {
            text += paths.size() == 1 ? "all peers" : "all other peers";
        } else {
            text += names_of(path.peers);
        }
        text += text_of(path.attributes) + "\n";
    }
    return text;
}

}  // namespace

std::string_view to_string(BgpWhyNot why_not) {
    switch (why_not) {
        case BgpWhyNot::NoConfig:
            return "noConfig";
        case BgpWhyNot::NoAddress:
            return "noIPAllocated";
        case BgpWhyNot::NotInPool:
            return "ipNotAllowed";
        case BgpWhyNot::NoAdvertisement:
            return "noMatchingAdvertisement";
        case BgpWhyNot::NotSelected:
            return "notOwner";
        case BgpWhyNot::NoPeer:
            return "noPeer";
        case BgpWhyNot::NetworkUnavailable:
            return "nodeNetworkUnavailable";
        case BgpWhyNot::ExcludedByLabel:
            return "nodeLabeledExcludeBalancers";
        case BgpWhyNot::NoEndpoints:
            return "noEndpoints";
        case BgpWhyNot::NoLocalEndpoints:
            return "noLocalEndpoints";
        case BgpWhyNot::NotServable:
            return "notServable";
        case BgpWhyNot::Conflict:
            return "conflictingAdvertisements";
    }
    return "unknown";
}

std::string_view sentence(BgpWhyNot why_not) {
    switch (why_not) {
        case BgpWhyNot::NoConfig:
            return "no valid configuration has been read yet";
        case BgpWhyNot::NoAddress:
            return "the Service has no address";
        case BgpWhyNot::NotInPool:
            return "no IPAddressPool contains the address";
        case BgpWhyNot::NoAdvertisement:
            return "no BGPAdvertisement for this node covers the address's pool and the Service";
        case BgpWhyNot::NotSelected:
            return "the BGPAdvertisements that cover it select other nodes";
        case BgpWhyNot::NoPeer:
            return "no BGPPeer that its BGPAdvertisements mean runs on this node";
        case BgpWhyNot::NetworkUnavailable:
            return "the node's condition NetworkUnavailable is True";
        case BgpWhyNot::ExcludedByLabel:
            return "the node is labelled node.kubernetes.io/exclude-from-external-load-balancers";
        case BgpWhyNot::NoEndpoints:
            return "the Service has no serving endpoint of the address's family";
        case BgpWhyNot::NoLocalEndpoints:
            return "externalTrafficPolicy is Local and this node has no serving endpoint of the "
                   "address's family";
        case BgpWhyNot::NotServable:
            return "this node's kernel does not forward the address yet";
        case BgpWhyNot::Conflict:
            return "its BGPAdvertisements contradict each other for the same prefix and peer";
    }
    return "unknown";
}

std::string to_string(const BgpConflict& conflict) {
    return "BGPAdvertisements \"" + conflict.first + "\" and \"" + conflict.second +
           "\" set different " + conflict.attribute + " for " + to_string(conflict.prefix) +
           " to the same peer";
}

std::optional<std::string> explain_bgp(const BgpPlan& plan, const net::IpAddress& address) {
    std::string text;
    for (const auto& [key, service] : plan.services) {
        for (const BgpAddress& entry : service->addresses) {
            if (entry.address != address) {
                continue;
            }
            text += "BGP, " + to_string(address) + " of " + to_string(key) + ": ";
            if (entry.why_not) {
                text += "no route: " + std::string(sentence(*entry.why_not));
            } else {
                text += plan.draining ? "announced, draining" : "announced";
            }
            text += "\n";
            for (const net::Prefix& prefix : entry.prefixes) {
                text += to_string(prefix) + "\n" + text_of(*plan.routes.at(prefix).paths());
            }
            for (const BgpConflict& conflict : service->conflicts) {
                if (conflict.prefix.contains(address)) {
                    text += "withheld: " + to_string(conflict) + "\n";
                }
            }
        }
    }
    if (text.empty()) {
        return std::nullopt;
    }
    return text +
           "BGP peers of this node: " + (plan.peers.empty() ? "none" : names_of(plan.peers)) + "\n";
}

}  // namespace steelyard::speaker_plan
