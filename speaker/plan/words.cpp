#include "speaker/plan/plan.hpp"

// What people read about reasons.
namespace steelyard::speaker_plan {
namespace {

std::string_view text_of(WhyNot why_not) {
    switch (why_not) {
        case WhyNot::NoConfig:
            return "no valid configuration has been read yet";
        case WhyNot::NoAddress:
            return "the Service has no address";
        case WhyNot::NotInPool:
            return "no IPAddressPool contains the address";
        case WhyNot::NoAdvertisement:
            return "no L2Advertisement or BGPAdvertisement covers the address's pool and the "
                   "Service";
        case WhyNot::OnlyBgp:
            return "no L2Advertisement covers the address's pool and the Service, only a "
                   "BGPAdvertisement";
        case WhyNot::NoEndpoints:
            return "the Service has no serving endpoint of the address's family";
        case WhyNot::NoCandidate:
            return "no node may announce it";
        case WhyNot::NotServable:
            return "this node is elected but its kernel does not forward the address yet";
        case WhyNot::NoInterface:
            return "this node is elected but has no usable interface that the L2Advertisements "
                   "allow";
    }
    return "unknown";
}

}  // namespace

std::string_view to_string(WhyNot why_not) {
    switch (why_not) {
        case WhyNot::NoConfig:
            return "noConfig";
        case WhyNot::NoAddress:
            return "noIPAllocated";
        case WhyNot::NotInPool:
            return "ipNotAllowed";
        case WhyNot::NoAdvertisement:
        case WhyNot::OnlyBgp:
            return "noMatchingAdvertisement";
        case WhyNot::NoEndpoints:
            return "noEndpoints";
        case WhyNot::NoCandidate:
            return "noCandidate";
        case WhyNot::NotServable:
            return "notServable";
        case WhyNot::NoInterface:
            return "noInterface";
    }
    return "unknown";
}

std::string to_string(const Reasons& reasons) {
    std::string text(text_of(reasons.why_not));
    std::string_view separator = ": ";
    for (const auto& [reason, nodes] : reasons.excluded) {
        text += separator;
        text += std::string(elect::to_string(reason)) + " on " + std::to_string(nodes);
        text += nodes == 1 ? " node (" : " nodes (";
        text += std::string(elect::sentence(reason)) + ")";
        separator = "; ";
    }
    return text;
}

}  // namespace steelyard::speaker_plan
