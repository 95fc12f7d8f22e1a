#include "speaker/app/bgp/bgp_metrics.hpp"
#include "speaker/app/speaker.hpp"
#include "speaker/app/view.hpp"

#include <map>

// What /readyz and /metrics say.
namespace steelyard::speaker {
namespace {

using Samples = std::map<metrics::Labels, double>;

double number(std::uint64_t count) {
    return static_cast<double>(count);
}

const char* name_of(speaker_plan::MemberState state) {
    switch (state) {
        case speaker_plan::MemberState::Alive:
            return "alive";
        case speaker_plan::MemberState::Suspect:
            return "suspect";
        case speaker_plan::MemberState::Unreachable:
            return "unreachable";
        case speaker_plan::MemberState::Left:
            return "left";
    }
    return "left";
}

void count_layer2(metrics::Registry& registry, const WireCounters& counters) {
    Samples received;
    Samples sent;
    Samples gratuitous;
    for (const auto& [address, count] : counters.addresses) {
        const metrics::Labels labels{{"ip", to_string(address)}};
        received[labels] = number(count.requests_received);
        sent[labels] = number(count.responses_sent);
        gratuitous[labels] = number(count.gratuitous_sent);
    }
    registry.counter("metallb_layer2_requests_received", "ARP and NDP requests for our addresses.")
        .replace(received);
    registry.counter("metallb_layer2_responses_sent", "Answers to them.").replace(sent);
    registry.counter("metallb_layer2_gratuitous_sent", "Unsolicited announcements.")
        .replace(gratuitous);
    Samples dropped;
    for (std::size_t i = 0; i < l2::kDropReasons; ++i) {
        const auto reason = static_cast<l2::Drop>(i);
        dropped[{{"reason", std::string(to_string(reason))}}] = number(counters.drops.of(reason));
    }
    registry.counter("steelyard_layer2_dropped_total", "Received frames that led to nothing.")
        .replace(dropped);
}

void count_gossip(metrics::Registry& registry, const WireCounters& counters) {
    if (!counters.gossip) {
        return;
    }
    const gossip::Counters& gossip = *counters.gossip;
    Samples refused;
    for (const gossip_wire::Refusal reason : gossip_wire::kRefusals) {
        refused[{{"reason", std::string(to_string(reason))}}] = number(gossip.refused_for(reason));
    }
    registry.counter("steelyard_gossip_refused_total", "Gossip input that was dropped.")
        .replace(refused);
    registry.counter("steelyard_gossip_packets_total", "Gossip packets.")
        .replace(
            {{{{"direction", "in"}}, number(gossip.packets_in)},
             {{{"direction", "out"}}, number(gossip.packets_out)}}
        );
    registry.gauge("steelyard_gossip_health_score", "Local health (Lifeguard); 0 is best.")
        .set(counters.health_score);
}

void count_ring(metrics::Registry& registry, const WireCounters& counters) {
    if (!counters.ring) {
        return;
    }
    const ring::Counters& ring = *counters.ring;
    struct Total {
        const char* name;
        const char* help;
        std::uint64_t value;
    };
    for (const Total& total : {
             Total{"heartbeats_sent", "Heartbeats to our watchers.", ring.heartbeats_sent},
             Total{"heartbeats_received", "From those we watch.", ring.heartbeats_received},
             Total{"probes_sent", "Questions to nodes that fell silent.", ring.probes_sent},
             Total{"accusations", "Silent nodes named to fellow watchers.", ring.accusations},
             Total{"verdicts_issued", "Nodes called unreachable.", ring.verdicts_issued},
             Total{"verdicts_lifted", "Nodes called reachable again.", ring.verdicts_lifted},
             Total{"abstentions", "Times this node distrusted itself.", ring.abstentions},
             Total{"stalls", "Times it woke after its lease ran out.", ring.stalls},
         }) {
        registry.counter(std::string("steelyard_ring_") + total.name + "_total", total.help)
            .replace({{metrics::Labels(), number(total.value)}});
    }
    registry.counter("steelyard_ring_refused_total", "Watch ring packets that were dropped.")
        .replace(
            {{{{"reason", "malformed"}}, number(ring.malformed)},
             {{{"reason", "unknown_sender"}}, number(ring.unknown_sender)},
             {{{"reason", "unopened"}}, number(ring.unopened)},
             {{{"reason", "replayed"}}, number(ring.replayed)}}
        );
}

}  // namespace

std::string Speaker::not_ready() const {
    if (!watches_.synced()) {
        return "the first lists are not complete";
    }
    return proxy_.trouble();
}

awaitable<void> Speaker::refresh_metrics() {
    count_announced();
    count_members();
    proxy_.count();
    registry_.gauge("metallb_k8s_client_config_loaded_bool", "1 once a configuration was right.")
        .set(config_.loaded() ? 1 : 0);
    registry_
        .gauge("metallb_k8s_client_config_stale_bool", "1 while an older configuration is in use.")
        .set(config_.stale() ? 1 : 0);
    if (!wire_) {
        co_return;
    }
    const WireCounters counters = co_await wire_->counters();
    count_layer2(registry_, counters);
    count_gossip(registry_, counters);
    count_ring(registry_, counters);
    if (counters.bgp) {
        count_bgp(registry_, *counters.bgp, bgp_.plan().routes.size());
    }
}

void Speaker::count_announced() {
    Samples announced;
    for (const auto& [address, entry] : announcements_->addresses) {
        for (const kube::ObjectKey& service : entry.services) {
            if (entry.announced_here) {
                announced.emplace(
                    metrics::Labels{
                        {"service", to_string(service)},
                        {"protocol", "layer2"},
                        {"node", options_.node_name},
                        {"ip", to_string(address)}},
                    1.0
                );
            }
        }
    }
    add_announced(bgp_.plan(), options_.node_name, announced);
    registry_.gauge("metallb_speaker_announced", "Addresses announced from this node.")
        .replace(announced);
    Samples conflicts;
    for (const auto& [address, count] : conflicts_.totals()) {
        conflicts[{{"ip", to_string(address)}}] = number(count);
    }
    registry_.counter("steelyard_layer2_conflicts_total", "Foreign claims of our addresses heard.")
        .replace(conflicts);
    if (failover_seconds_) {
        registry_
            .gauge(
                "steelyard_failover_decision_seconds",
                "From the last verdict of unreachability to the announcements it led to."
            )
            .set(*failover_seconds_);
    }
}

void Speaker::count_members() {
    if (!sight_) {
        return;
    }
    Samples members;
    for (const auto state :
         {speaker_plan::MemberState::Alive,
          speaker_plan::MemberState::Suspect,
          speaker_plan::MemberState::Unreachable,
          speaker_plan::MemberState::Left}) {
        members[{{"state", name_of(state)}}] = 0;
    }
    for (const speaker_plan::MemberView& member : member_views(*sight_)) {
        members[{{"state", name_of(member.state)}}] += 1;
    }
    registry_.gauge("steelyard_speaker_members", "Speakers that gossip knows, by state.")
        .replace(members);
}

}  // namespace steelyard::speaker
