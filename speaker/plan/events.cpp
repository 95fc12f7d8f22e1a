#include "speaker/plan/plan.hpp"

namespace steelyard::speaker_plan {
namespace {

// What only a change of configuration mends; the other reasons come and go with pods and nodes.
bool is_for_the_user(const Reasons& reasons) {
    return reasons.why_not == WhyNot::NotInPool || reasons.why_not == WhyNot::NoAdvertisement;
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
