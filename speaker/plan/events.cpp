#include "speaker/plan/plan.hpp"

namespace steelyard::speaker_plan {
namespace {

// What the user has to hear about a Service that nobody announces: what only a change of
// configuration or of the nodes' hardware mends. The rest comes and goes with pods and nodes. In
// words that do not change with the number of nodes.
std::optional<std::string> complaint(const Reasons& reasons) {
    const std::string start = "no node announces it: ";
    if (reasons.why_not == WhyNot::NotInPool || reasons.why_not == WhyNot::NoAdvertisement) {
        return start + to_string(reasons);
    }
    // A node that is not ready yet may still turn out to have the interface.
    if (reasons.why_not == WhyNot::NoCandidate &&
        reasons.excluded.contains(elect::Reason::NoInterface) &&
        !reasons.excluded.contains(elect::Reason::NotReady)) {
        return start + "no node that may has a usable interface that the L2Advertisements allow";
    }
    return std::nullopt;
}

bool is_announced(const AddressPlan& planned) {
    return planned.announced_here;
}

bool lacks_interface(const AddressPlan& planned) {
    return planned.mine && planned.reasons && planned.reasons->why_not == WhyNot::NoInterface;
}

// The Services that an address of such a plan carries.
template <class Is>
std::set<kube::ObjectKey> services_where(const Announcements& plan, const Is& is) {
    std::set<kube::ObjectKey> services;
    for (const auto& [address, planned] : plan.addresses) {
        if (is(planned)) {
            for (const kube::ObjectKey& service : planned.services) {
                if (planned.carries(service)) {
                    services.insert(service);
                }
            }
        }
    }
    return services;
}

}  // namespace

std::vector<Event> events_between(
    const std::string& node_name, const Announcements& before, const Announcements& after
) {
    std::vector<Event> events;
    const auto announced_before = services_where(before, is_announced);
    for (const kube::ObjectKey& service : services_where(after, is_announced)) {
        if (!announced_before.contains(service)) {
            events.push_back(
                {service,
                 false,
                 std::string(kNodeAssigned),
                 "announcing from node \"" + node_name + "\" with protocol \"layer2\""}
            );
        }
    }
    const auto failed_before = services_where(before, lacks_interface);
    for (const kube::ObjectKey& service : services_where(after, lacks_interface)) {
        if (!failed_before.contains(service)) {
            events.push_back(
                {service,
                 true,
                 std::string(kAnnounceFailed),
                 "node \"" + node_name +
                     "\" cannot announce: " + to_string(Reasons{WhyNot::NoInterface, {}})}
            );
        }
    }
    // Every node finds the same and says it in the same words, so it stays one Event.
    for (const auto& [service, reasons] : after.silent) {
        const auto text = complaint(reasons);
        const auto earlier = before.silent.find(service);
        if (text && (earlier == before.silent.end() || complaint(earlier->second) != text)) {
            events.push_back({service, true, std::string(kAnnounceFailed), *text});
        }
    }
    return events;
}

std::vector<Event> conflict_events(
    const std::string& node_name,
    const Announcements& plan,
    const std::set<Conflict>& before,
    const std::set<Conflict>& after
) {
    std::vector<Event> events;
    for (const Conflict& conflict : after) {
        const auto found = plan.addresses.find(conflict.ip);
        if (before.contains(conflict) || found == plan.addresses.end() ||
            !found->second.announced_here) {
            continue;
        }
        for (const kube::ObjectKey& service : found->second.services) {
            if (found->second.carries(service)) {
                events.push_back(
                    {service,
                     true,
                     std::string(kAddressConflict),
                     "a machine with the MAC address " + net::to_string(conflict.mac) +
                         " also answers for " + net::to_string(conflict.ip) + ", which node \"" +
                         node_name + "\" announces"}
                );
            }
        }
    }
    return events;
}

}  // namespace steelyard::speaker_plan
