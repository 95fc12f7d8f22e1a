#include "speaker/ring/watch_ring.hpp"

#include <algorithm>

// What a WatchRing does because time passed.
namespace steelyard::ring {

// A node whose own clock stood still must not blame others for the silence it slept through.
void WatchRing::notice_time(Instant now, Actions& out) {
    const Instant expected = std::max(next_deadline(), last_input_);
    last_input_ = now;
    if (now > expected) {
        const Duration late = now - expected;
        if (late >= timing_.forget) {
            catching_up_until_ = now + timing_.interval;
            forget_opinions(now, out);
        } else if (late >= timing_.late && !watched_.empty()) {
            abstain(now);
        }
    }
    if (lease_.ran_out(now)) {
        ++counters_.stalls;
        const auto token = static_cast<std::uint32_t>(rng_.next());
        lease_.begin_asking(token == kNoToken ? 1 : token, now);
        heartbeat_at_ = now;
    }
}

void WatchRing::abstain(Instant now) {
    ++counters_.abstentions;
    for (Watching& watching : watched_) {
        watching.give_fresh_period(now);
    }
}

// We slept so long that those we held unreachable may be back. What the others hold, they say
// again.
void WatchRing::forget_opinions(Instant now, Actions& out) {
    if (!watched_.empty()) {
        ++counters_.abstentions;
    }
    for (Watching& watching : watched_) {
        watching.forget(now);
        if (issued(watching.subject())) {
            set_bulletin(watching.subject(), false, now, out);
        }
    }
}

void WatchRing::on_deadline(Instant now, Actions& out) {
    notice_time(now, out);
    beat(now, out);
    mind_watched(now, out);
    tell_opinions(now, out);
    tell_verdicts(now, out);
    say_goodbyes(now, out);
    for (const NodeId id : verdicts_.expire(now)) {
        changed(id, true, out);
    }
    mind_lease(now, out);
}

void WatchRing::beat(Instant now, Actions& out) {
    if (now < heartbeat_at_ || watchers_.count == 0) {
        return;
    }
    heartbeat_at_ += timing_.interval;
    if (heartbeat_at_ <= now) {
        heartbeat_at_ = now + timing_.interval;
    }
    if (leaving_) {
        for (const NodeId id : watchers_.all()) {
            send(id, Leaving{}, out);
        }
        lease_.on_heartbeat(timing_, now);
    } else {
        send_heartbeats(now, out);
    }
}

void WatchRing::send_heartbeats(Instant now, Actions& out) {
    if (leaving_) {
        return;
    }
    for (const NodeId id : watchers_.all()) {
        send(id, Heartbeat{watchers_}, out);
        ++counters_.heartbeats_sent;
    }
    lease_.on_heartbeat(timing_, now);
}

void WatchRing::mind_watched(Instant now, Actions& out) {
    for (Watching& watching : watched_) {
        switch (watching.due(timing_, now)) {
            case Watching::Due::Nothing:
                break;
            case Watching::Due::Probe:
                probe(watching, now, out);
                break;
            case Watching::Due::Accuse:
                if (!may_accuse(watching, now, out)) {
                    return;
                }
                ++counters_.accusations;
                watching.accuse(now);
                judge(watching, now, out);
                break;
        }
    }
}

void WatchRing::probe(Watching& watching, Instant now, Actions& out) {
    watching.probed(timing_, now);
    send(watching.subject(), Probe{kNoToken}, out);
    ++counters_.probes_sent;
}

// A watcher that hears nobody of those it watches is more likely cut off itself. With a single one
// to watch it cannot know, and accuses.
bool WatchRing::may_accuse(Watching& suspect, Instant now, Actions& out) {
    bool alone = true;
    bool all_overdue = true;
    for (Watching& other : watched_) {
        if (&other == &suspect || other.accused()) {
            continue;
        }
        if (other.heard_within(timing_.connected, now)) {
            return true;
        }
        alone = false;
        all_overdue = all_overdue && other.silence(now) >= timing_.accuse_after;
    }
    if (alone) {
        return true;
    }
    if (all_overdue) {
        abstain(now);
        return false;
    }
    for (Watching& other : watched_) {
        if (!other.accused()) {
            probe(other, now, out);
        }
    }
    suspect.postpone(timing_, now);
    return false;
}

void WatchRing::tell_opinions(Instant now, Actions& out) {
    for (Watching& watching : watched_) {
        if (!watching.must_tell(now)) {
            continue;
        }
        watching.told(timing_, now);
        for (const NodeId id : watching.watchers().all()) {
            send(id, Opinion{watching.subject(), watching.accused()}, out);
        }
        if (watching.accused()) {
            // It may live and believe that we no longer watch it.
            send(watching.subject(), Probe{kNoToken}, out);
        }
    }
}

void WatchRing::judge(const Watching& watching, Instant now, Actions& out) {
    const bool in_force = issued(watching.subject());
    if (!in_force && watching.condemned(timing_, now)) {
        set_bulletin(watching.subject(), true, now, out);
    } else if (in_force && watching.acquitted()) {
        set_bulletin(watching.subject(), false, now, out);
    }
}

// Told at the end of the input: all that changed first, so that nothing outdated goes out with it.
void WatchRing::set_bulletin(NodeId subject, bool unreachable, Instant now, Actions& out) {
    std::erase_if(bulletins_, [&](const Bulletin& old) { return old.subject == subject; });
    bulletins_.push_back({subject, unreachable, kCopies, now});
    if (unreachable) {
        ++counters_.verdicts_issued;
        if (verdicts_.hold(subject, self_, Instant::max())) {
            changed(subject, false, out);
        }
    } else {
        ++counters_.verdicts_lifted;
        if (verdicts_.lift(subject, self_)) {
            changed(subject, true, out);
        }
    }
}

void WatchRing::tell_verdicts(Instant now, Actions& out) {
    for (Bulletin& bulletin : bulletins_) {
        if (now < bulletin.at) {
            continue;
        }
        bulletin.copies_left = std::max(0, bulletin.copies_left - 1);
        bulletin.at = now + (bulletin.copies_left > 0 ? timing_.repeat : timing_.refresh);
        for (auto& [id, peer] : peers_) {
            send(peer, Verdict{bulletin.subject, bulletin.unreachable}, out);
        }
    }
    // A lifted verdict needs no reminder: it would be forgotten by itself.
    std::erase_if(bulletins_, [](const Bulletin& old) {
        return !old.unreachable && old.copies_left == 0;
    });
}

void WatchRing::say_goodbyes(Instant now, Actions& out) {
    for (Goodbye& goodbye : goodbyes_) {
        if (goodbye.at <= now) {
            --goodbye.copies_left;
            goodbye.at = now + timing_.repeat;
            send(goodbye.to, Released{}, out);
        }
    }
    std::erase_if(goodbyes_, [](const Goodbye& old) { return old.copies_left == 0; });
}

void WatchRing::mind_lease(Instant now, Actions& out) {
    if (lease_.must_ask(now)) {
        lease_.asked(timing_, now);
        for (const NodeId id : watchers_.all()) {
            send(id, Probe{lease_.token()}, out);
        }
    }
    lease_.decide(timing_, verdicts_.unreachable(self_), now);
}

Instant WatchRing::next_deadline() const {
    Instant due = watchers_.count > 0 ? heartbeat_at_ : Instant::max();
    for (const Watching& watching : watched_) {
        due = std::min(due, watching.deadline(timing_));
    }
    for (const Bulletin& bulletin : bulletins_) {
        due = std::min(due, bulletin.at);
    }
    for (const Goodbye& goodbye : goodbyes_) {
        due = std::min(due, goodbye.at);
    }
    return std::min({due, verdicts_.deadline(), lease_.deadline(timing_)});
}

}  // namespace steelyard::ring
