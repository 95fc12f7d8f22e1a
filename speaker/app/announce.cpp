#include "speaker/app/speaker.hpp"
#include "speaker/app/view.hpp"

#include <utility>

// What the wire thread is told to announce. This part of the control thread awaits nothing but its
// signal: between a verdict and the announcement there is only the plan.
namespace steelyard::speaker {

// Apart from kernel_loop(): when a node dies, its addresses do not wait for a large write.
awaitable<void> Speaker::plan_loop() {
    for (;;) {
        co_await replan_.wait();
        follow_peers();
        if (watches_.synced()) {
            load_config();
            announce();
        }
    }
}

void Speaker::load_config() {
    config::Objects objects;
    for (const auto& [key, pool] : watches_.pools()) {
        objects.pools.push_back(*pool);
    }
    for (const auto& [key, advertisement] : watches_.advertisements()) {
        objects.l2_advertisements.push_back(*advertisement);
    }
    const std::vector<config::Problem> before = config_.problems();
    config_.update(config::parse(objects));
    if (config_.problems() == before) {
        return;
    }
    for (const config::Problem& problem : config_.problems()) {
        log_.error(
            "configuration refused; the last good one stays", {{"problem", to_string(problem)}}
        );
    }
    if (!config_.stale()) {
        log_.info("configuration is right again");
    }
}

speaker_plan::Snapshot Speaker::snapshot() const {
    speaker_plan::Snapshot snapshot;
    snapshot.node_name = options_.node_name;
    snapshot.load_balancer_class = options_.load_balancer_class;
    snapshot.ignore_exclude_label = options_.ignore_exclude_label;
    snapshot.config = config_.current();
    snapshot.services = watches_.services();
    snapshot.slices = watches_.slices();
    snapshot.nodes = watches_.nodes();
    if (options_.gossip_address) {
        snapshot.members =
            members_ ? member_views(*members_) : std::vector<speaker_plan::MemberView>{};
    }
    snapshot.interfaces = local_interfaces(links_.snapshot(), l2::NameExclusions::standard());
    if (options_.proxy.mode != proxy::Mode::AnnounceOnly) {
        snapshot.servable.emplace();
        if (servable_) {
            snapshot.servable->insert(servable_->begin(), servable_->end());
        }
    }
    return snapshot;
}

void Speaker::announce() {
    speaker_plan::Announcements next = speaker_plan::plan(snapshot());
    if (announced_once_ && next == announcements_) {
        return;
    }
    wire_->set_announcements(std::make_shared<const l2::Announcements>(announced_here(next)));
    tell_services(next);
    announcements_ = std::move(next);
    announced_once_ = true;
}

void Speaker::tell_services(const speaker_plan::Announcements& next) {
    for (const auto& event :
         speaker_plan::events_between(options_.node_name, announcements_, next)) {
        const auto found = watches_.services().find(event.service);
        if (found != watches_.services().end()) {
            const auto type = event.warning ? kube::EventType::Warning : kube::EventType::Normal;
            events_.record(kube::reference_to(*found->second), type, event.reason, event.message);
        }
    }
    for (const auto& [address, entry] : next.addresses) {
        const auto before = announcements_.addresses.find(address);
        const bool was = before != announcements_.addresses.end() && before->second.announced_here;
        if (entry.announced_here != was) {
            log_.info(
                entry.announced_here ? "announcing" : "no longer announcing",
                {{"ip", to_string(address)},
                 {"owner", entry.owner.value_or("")},
                 {"why", entry.reasons ? to_string(*entry.reasons) : ""}}
            );
        }
    }
    for (const auto& [service, reasons] : next.silent) {
        const auto before = announcements_.silent.find(service);
        if (before == announcements_.silent.end() || before->second != reasons) {
            log_.info(
                "announced by nobody",
                {{"service", to_string(service)}, {"why", to_string(reasons)}}
            );
        }
    }
    for (const auto& [address, entry] : announcements_.addresses) {
        if (entry.announced_here && !next.addresses.contains(address)) {
            log_.info("no longer announcing", {{"ip", to_string(address)}, {"why", "released"}});
        }
    }
}

}  // namespace steelyard::speaker
