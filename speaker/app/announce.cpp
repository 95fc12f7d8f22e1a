#include "speaker/app/speaker.hpp"
#include "speaker/app/view.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

// What the wire thread is told to announce. This part of the control thread awaits nothing but its
// signal: between a verdict and the announcement there is only the plan.
namespace steelyard::speaker {
namespace {

// The controller tells of the others.
bool is_bgp(config::Kind kind) {
    return kind != config::Kind::IpAddressPool && kind != config::Kind::L2Advertisement;
}

const char* refusal(const config::LastGood& config) {
    if (!config.loaded()) {
        return "configuration refused; there is none to use";
    }
    return config.partial() ? "object refused; the rest is in use without it"
                            : "configuration refused; the last good one stays";
}

}  // namespace

// Apart from the kernel's loop: when a node dies, its addresses do not wait for a large write.
awaitable<void> Speaker::plan_loop() {
    for (;;) {
        co_await replan_.wait();
        follow_peers();
        if (watches_.synced()) {
            meet_others();
            // Routes first: they need a hundredth of the time of what follows.
            route();
            if (load_config()) {
                route();
            }
            announce();
        }
    }
}

bool Speaker::load_config() {
    std::optional<config::Scope> scope;
    if (const auto node = watches_.node(options_.node_name)) {
        scope = config::Scope{options_.node_name, node->meta.labels};
    }
    if (watches_.config().version() == parsed_version_ && scope == parsed_scope_) {
        return false;
    }
    parsed_version_ = watches_.config().version();
    parsed_scope_ = scope;
    config::Objects objects = watches_.config().objects();
    objects.scope = std::move(scope);
    const std::vector<config::Problem> before = config_.problems();
    const bool had_one = config_.loaded();
    const bool changed = config_.update(config::parse(objects));
    configuration_state_.wake();
    if (config_.loaded() != had_one) {
        tell_.notify();  // this node may be elected now
    }
    if (config_.problems() == before) {
        return changed;
    }
    for (const config::Problem& problem : config_.problems()) {
        log_.error(refusal(config_), {{"problem", to_string(problem)}});
        const bool told = std::find(before.begin(), before.end(), problem) != before.end();
        const auto object = watches_.config().find(problem.kind, problem.key);
        if (!told && object && is_bgp(problem.kind)) {
            events_.record(
                *object, kube::EventType::Warning, "ConfigurationInvalid", to_string(problem)
            );
        }
    }
    if (!config_.stale()) {
        log_.info("configuration is right again");
    }
    return changed;
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
        snapshot.members = sight_ ? member_views(*sight_) : std::vector<speaker_plan::MemberView>{};
    }
    snapshot.interfaces = local_interfaces(links_.snapshot(), l2::NameExclusions::standard());
    if (proxy_.programs()) {
        snapshot.servable.emplace();
        if (const auto& servable = proxy_.servable()) {
            snapshot.servable->insert(servable->begin(), servable->end());
        }
    }
    return snapshot;
}

void Speaker::announce() {
    const auto told = sight_ ? told_of(*sight_, options_.node_name) : std::nullopt;
    announced_draining_ = told && told->draining;
    const bool judged = sight_ && sight_->verdict != judged_;
    auto next = std::make_shared<const speaker_plan::Announcements>(speaker_plan::plan(snapshot()));
    if (judged) {
        judged_ = sight_->verdict;
    }
    const auto live =
        sight_ ? live_others(*sight_, options_.node_name) : std::set<std::string, std::less<>>{};
    auto answered = announced_here(*next, *announcements_, answered_, live, answers_ping());
    if (announced_once_ && *next == *announcements_ && answered == answered_) {
        return;
    }
    if (!announced_once_ || answered != answered_) {
        answered_ = answered;
        wire_->set_announcements(std::make_shared<const l2::Announcements>(std::move(answered)));
        if (judged && judged_) {
            const Duration took = std::chrono::steady_clock::now() - *judged_;
            failover_seconds_ = std::chrono::duration<double>(took).count();
        }
    }
    announced_once_ = true;
    tell_services(*next);
    announcements_ = std::move(next);
    tell_statuses();
}

bool Speaker::answers_ping() const {
    switch (options_.answer_ping) {
        case AnswerPing::On:
            return true;
        case AnswerPing::Off:
            return false;
        case AnswerPing::Auto:
            return options_.proxy.mode == proxy::Mode::AnnounceOnly;
    }
    return false;
}

config::StateOf Speaker::state_of() const {
    return {options_.ns, options_.node_name, status_scope_.pod};
}

std::optional<daemon::ConfigurationStateWriter::Known> Speaker::known_state() const {
    if (parsed_version_ == 0) {
        return std::nullopt;
    }
    config::StateInput input;
    input.problems = config_.problems();
    input.unreadable = watches_.config().unreadable();
    input.known = true;
    return daemon::ConfigurationStateWriter::Known{state_of(), std::move(input)};
}

void Speaker::tell_statuses() {
    std::optional<kube::PodOwner> owner;
    const auto pod = watches_.pods().find(kube::ObjectKey{options_.ns, options_.pod_name});
    if (pod != watches_.pods().end()) {
        owner.emplace();
        owner->name = pod->first.name;
        owner->uid = pod->second->meta.uid;
    }
    bgp_.set_owner(owner);
    status_scope_.pod = std::move(owner);
    l2_statuses_.wake();
    configuration_state_.wake();
}

L2StatusWriter::Changes Speaker::l2_statuses(const speaker_plan::ObservedL2Statuses& observed
) const {
    if (!announced_once_) {
        return {};  // what an earlier run has told may well still hold
    }
    const auto desired =
        speaker_plan::desired_l2_statuses(status_scope_, *announcements_, conflicts_.current());
    return speaker_plan::diff_l2_statuses(status_scope_, *announcements_, desired, observed);
}

void Speaker::record(const speaker_plan::Event& event) {
    const auto found = watches_.services().find(event.service);
    if (found != watches_.services().end()) {
        const auto type = event.warning ? kube::EventType::Warning : kube::EventType::Normal;
        events_.record(kube::reference_to(*found->second), type, event.reason, event.message);
    }
}

void Speaker::tell_services(const speaker_plan::Announcements& next) {
    const speaker_plan::Announcements& last = *announcements_;
    for (const auto& event : speaker_plan::events_between(options_.node_name, last, next)) {
        record(event);
    }
    for (const auto& [address, entry] : next.addresses) {
        const auto before = last.addresses.find(address);
        const bool was = before != last.addresses.end() && before->second.announced_here;
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
        const auto before = last.silent.find(service);
        if (before == last.silent.end() || before->second != reasons) {
            log_.info(
                "announced by nobody",
                {{"service", to_string(service)}, {"why", to_string(reasons)}}
            );
        }
    }
    for (const auto& [address, entry] : last.addresses) {
        if (entry.announced_here && !next.addresses.contains(address)) {
            log_.info("no longer announcing", {{"ip", to_string(address)}, {"why", "released"}});
        }
    }
}

}  // namespace steelyard::speaker
