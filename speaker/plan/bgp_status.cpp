#include "speaker/plan/bgp_status.hpp"

#include "speaker/plan/status_diff.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace steelyard::speaker_plan {
namespace {

bool was_sent(const BgpPeerFacts& facts, const net::Prefix& prefix, const BgpRoute& route) {
    const bool carried = prefix.address().is_v4() ? facts.v4 : facts.v6;
    return carried && route.goes_to(facts.peer) && facts.synced >= route.since(facts.peer);
}

// The peers that were sent a route to any address of the Service, sorted.
std::vector<std::string> peers_told(
    const BgpPlan& plan, const BgpService& service, const std::vector<BgpPeerFacts>& peers
) {
    std::vector<std::string> told;
    for (const BgpAddress& address : service.addresses) {
        for (const net::Prefix& prefix : address.prefixes) {
            const BgpRoute& route = plan.routes.at(prefix);
            for (const BgpPeerFacts& facts : peers) {
                if (was_sent(facts, prefix, route)) {
                    told.push_back(facts.peer);
                }
            }
        }
    }
    std::sort(told.begin(), told.end());
    told.erase(std::unique(told.begin(), told.end()), told.end());
    return told;
}

bool never(const StatusSubject& /*subject*/) {
    return false;
}

bool tells_as(const kube::ServiceBgpStatus& found, const kube::ServiceBgpStatus& wanted) {
    return found.node == wanted.node && found.service == wanted.service &&
           found.peers == wanted.peers;
}

// Everything but the metadata; time is written with whole seconds.
bool says_as(const kube::BgpSessionState& found, const kube::BgpSessionState& wanted) {
    const auto told = [](const kube::BgpSessionState& state) {
        kube::BgpSessionState only = state;
        only.meta = {};
        only.owner.reset();
        if (only.since) {
            only.since = std::chrono::floor<std::chrono::seconds>(*only.since);
        }
        return only;
    };
    return told(found) == told(wanted);
}

}  // namespace

BgpStatuses desired_bgp_statuses(
    const StatusScope& scope, const BgpPlan& plan, const std::vector<BgpPeerFacts>& peers
) {
    BgpStatuses desired;
    for (const auto& [key, service] : plan.services) {
        std::vector<std::string> told = peers_told(plan, *service, peers);
        if (!told.empty()) {
            auto status = status_of_service<kube::ServiceBgpStatus>("bgp-", scope, key);
            status.peers = std::move(told);
            kube::ObjectKey name = status.meta.key;
            desired.emplace(std::move(name), std::move(status));
        }
    }
    return desired;
}

BgpStatusChanges diff_bgp_statuses(
    const StatusScope& scope,
    const BgpStatuses& desired,
    const Objects<kube::ServiceBgpStatus>& observed
) {
    return diff_statuses(scope, desired, observed, tells_as, never);
}

SessionStates desired_session_states(
    const StatusScope& scope, std::vector<kube::BgpSessionState> sessions
) {
    SessionStates desired;
    for (kube::BgpSessionState& session : sessions) {
        session.meta = {};
        session.meta.key = status_key("session-", scope, {"", session.peer});
        session.meta.labels.emplace(kNodeLabel, label_value(scope.node_name));
        session.meta.labels.emplace(kPeerLabel, label_value(session.peer));
        session.owner = scope.pod;
        session.node = scope.node_name;
        kube::ObjectKey name = session.meta.key;
        desired.emplace(std::move(name), std::move(session));
    }
    return desired;
}

SessionStateChanges diff_session_states(
    const StatusScope& scope,
    const SessionStates& desired,
    const Objects<kube::BgpSessionState>& observed
) {
    return diff_statuses(scope, desired, observed, says_as, never);
}

}  // namespace steelyard::speaker_plan
