#include "speaker/plan/plan.hpp"

#include <set>

// What people read: reasons and events.
namespace steelyard::speaker_plan {
namespace {

std::string_view sentence(WhyNot why_not) {
    switch (why_not) {
        case WhyNot::NoConfig:
            return "no valid configuration has been read yet";
        case WhyNot::NoAddress:
            return "the Service has no address";
        case WhyNot::NotInPool:
            return "no IPAddressPool contains the address";
        case WhyNot::NoAdvertisement:
            return "no L2Advertisement covers the address's pool and the Service";
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

// What only a change of configuration mends; the other reasons come and go with pods and nodes.
bool is_for_the_user(const Reasons& reasons) {
    return reasons.why_not == WhyNot::NotInPool || reasons.why_not == WhyNot::NoAdvertisement;
}

// The Services with an announced address, or one elected here that has no interface.
std::set<kube::ObjectKey> services_where(const Announcements& plan, bool announced) {
    std::set<kube::ObjectKey> services;
    for (const auto& [address, planned] : plan.addresses) {
        const bool failed =
            planned.mine && planned.reasons && planned.reasons->why_not == WhyNot::NoInterface;
        if (announced ? planned.announced_here : failed) {
            services.insert(planned.services.begin(), planned.services.end());
        }
    }
    return services;
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
    std::string text(sentence(reasons.why_not));
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

std::vector<Event> events_between(
    const std::string& node_name, const Announcements& before, const Announcements& after
) {
    std::vector<Event> events;
    const auto announced_before = services_where(before, true);
    for (const kube::ObjectKey& service : services_where(after, true)) {
        if (!announced_before.contains(service)) {
            events.push_back(
                {service,
                 false,
                 std::string(kNodeAssigned),
                 "announcing from node \"" + node_name + "\" with protocol \"layer2\""}
            );
        }
    }
    const auto failed_before = services_where(before, false);
    for (const kube::ObjectKey& service : services_where(after, false)) {
        if (!failed_before.contains(service)) {
            events.push_back(
                {service,
                 true,
                 std::string(kAnnounceFailed),
                 "node \"" + node_name +
                     "\" cannot announce: " + std::string(sentence(WhyNot::NoInterface))}
            );
        }
    }
    // Every node finds the same and says it in the same words, so it stays one Event.
    for (const auto& [service, reasons] : after.silent) {
        const auto earlier = before.silent.find(service);
        if (is_for_the_user(reasons) &&
            (earlier == before.silent.end() || earlier->second != reasons)) {
            events.push_back(
                {service,
                 true,
                 std::string(kAnnounceFailed),
                 "no node announces it: " + to_string(reasons)}
            );
        }
    }
    return events;
}

}  // namespace steelyard::speaker_plan
