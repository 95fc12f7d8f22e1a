#include "speaker/ring/watch_ring.hpp"

#include <algorithm>

// What a WatchRing makes of a packet: first whether it is one, then what it says.
namespace steelyard::ring {

void WatchRing::on_packet(
    const net::Endpoint& from, std::span<const std::byte> bytes, Instant now, Actions& out
) {
    notice_time(now, out);
    const auto header = decode_header(bytes);
    if (!header) {
        ++counters_.malformed;
        refuse(from, header.error().context, out);
        return;
    }
    PeerState* peer = find(header->sender);
    if (peer == nullptr) {
        ++counters_.unknown_sender;
        refuse(from, "ring packet: sender is no peer, or in another life of its", out);
        return;
    }
    if (!peer->session.received.fresh(header->counter)) {
        ++counters_.replayed;
        refuse(from, "ring packet of " + peer->peer.name + ": came before", out);
        return;
    }
    std::array<std::byte, kMaxBody> plain;
    if (!open(*peer, header->counter, bytes, plain)) {
        ++counters_.unopened;
        refuse(from, "ring packet of " + peer->peer.name + ": none of our keys opens it", out);
        return;
    }
    peer->session.received.mark(header->counter);
    const auto body = decode_body(std::span(plain).first(bytes.size() - kHeader - kTag));
    if (!body) {
        ++counters_.malformed;
        refuse(from, body.error().context, out);
        return;
    }
    ++counters_.packets_received;
    receive(*peer, *body, header->counter, now, out);
    tell_verdicts(now, out);
    lease_.decide(timing_, verdicts_.unreachable(self_), now);
}

bool WatchRing::open(
    PeerState& from,
    std::uint64_t counter,
    std::span<const std::byte> packet,
    std::span<std::byte, kMaxBody> body
) {
    if (from.open_keys.empty()) {
        for (const Secret& master : masters_) {
            from.open_keys.push_back(
                pair_key(master, {from.peer.name, from.peer.epoch}, {config_.name, config_.epoch})
            );
        }
    }
    return std::any_of(from.open_keys.begin(), from.open_keys.end(), [&](const Secret& key) {
        return cipher_.open(key, counter, packet, body);
    });
}

void WatchRing::receive(
    PeerState& from, const Body& body, std::uint64_t counter, Instant now, Actions& out
) {
    if (Watching* watching = find_watching(from.place.id)) {
        if (watching->on_heard(timing_, now)) {
            judge(*watching, now, out);
        }
    }
    on_view(from, body.view, counter, now, out);
    if (const auto* answer = std::get_if<Answer>(&body.message)) {
        lease_.on_answer(from.place.id, answer->token, body.view, now);
    }
    std::visit([&](const auto& message) { on(from, message, counter, now, out); }, body.message);
}

// Each packet of a watcher tells us how it sees us, so that a verdict about us whose copies were
// all lost is known with the next packet, and its end likewise.
void WatchRing::on_view(
    PeerState& from, View view, std::uint64_t counter, Instant now, Actions& out
) {
    if (counter < from.newest_view || !watchers_.contains(from.place.id)) {
        return;
    }
    from.newest_view = counter;
    if (view == View::Unreachable) {
        lease_.on_accused(now);
        if (verdicts_.hold(self_, from.place.id, now + timing_.verdict_life)) {
            changed(self_, false, out);
        }
        return;
    }
    from.newest_lift = std::max(from.newest_lift, counter);
    if (verdicts_.lift(self_, from.place.id)) {
        changed(self_, true, out);
    }
}

void WatchRing::on(
    PeerState& from, const Heartbeat& heartbeat, std::uint64_t counter, Instant now, Actions& out
) {
    ++counters_.heartbeats_received;
    if (counter < from.newest_heartbeat || from.leaving || leaving_) {
        return;
    }
    from.newest_heartbeat = counter;
    if (!heartbeat.watchers.contains(self_)) {
        stop_watching(from.place.id, now, out);
        return;
    }
    Watching* watching = find_watching(from.place.id);
    if (watching == nullptr) {
        watching = &watched_.emplace_back(from.place.id, self_, now);
    }
    watching->set_watchers(heartbeat.watchers);
}

void WatchRing::on(
    PeerState& from, const Probe& probe, std::uint64_t /*counter*/, Instant /*now*/, Actions& out
) {
    // To the address gossip knows, so that a forged source directs no answer elsewhere.
    const bool watched_by_it = !leaving_ && watchers_.contains(from.place.id);
    send(from, Answer{probe.token, watched_by_it}, out);
}

void WatchRing::on(
    PeerState& from, const Answer& answer, std::uint64_t counter, Instant now, Actions& out
) {
    if (!answer.watched_by_you && counter > from.newest_heartbeat) {
        from.newest_heartbeat = counter;
        stop_watching(from.place.id, now, out);
    }
}

void WatchRing::on(
    PeerState& from, const Opinion& opinion, std::uint64_t counter, Instant now, Actions& out
) {
    Watching* watching = find_watching(opinion.subject);
    if (watching == nullptr) {
        return;
    }
    if (!watching->watchers().contains(from.place.id)) {
        // It has other watchers now, who hear it: that we do not is no concern of ours any more.
        if (!opinion.silent && watching->accused()) {
            stop_watching(opinion.subject, now, out);
        }
        return;
    }
    watching->on_opinion(from.place.id, opinion.silent, counter, now);
    if (opinion.silent && !watching->accused() &&
        watching->heard_within(timing_.probe_after, now)) {
        send(from, Opinion{opinion.subject, false}, out);
    }
    judge(*watching, now, out);
}

void WatchRing::on(
    PeerState& from, const Verdict& verdict, std::uint64_t counter, Instant now, Actions& out
) {
    const NodeId subject = verdict.subject;
    if (subject != self_ && find(subject) == nullptr) {
        return;  // a member we do not know, or in another life
    }
    if (!verdict.unreachable) {
        from.newest_lift = std::max(from.newest_lift, counter);
        if (verdicts_.lift(subject, from.place.id)) {
            changed(subject, true, out);
        }
        return;
    }
    if (counter < from.newest_lift) {
        return;
    }
    if (subject == self_) {
        lease_.on_accused(now);
    } else if (now < catching_up_until_) {
        return;  // it may have waited in our socket while we slept; what still holds comes again
    }
    if (verdicts_.hold(subject, from.place.id, now + timing_.verdict_life)) {
        changed(subject, false, out);
    }
    // Whoever is a watcher no longer and was not reached by the news of it must hear it from us.
    const Watching* watching = find_watching(subject);
    if (watching != nullptr && !watching->watchers().contains(from.place.id) &&
        !watching->accused() && watching->heard_within(timing_.probe_after, now)) {
        send(from, Opinion{subject, false}, out);
    }
}

void WatchRing::on(
    PeerState& from, const Released& /*released*/, std::uint64_t counter, Instant now, Actions& out
) {
    if (counter > from.newest_heartbeat) {
        from.newest_heartbeat = counter;
        stop_watching(from.place.id, now, out);
    }
}

void WatchRing::on(
    PeerState& from,
    const Leaving& /*leaving*/,
    std::uint64_t /*counter*/,
    Instant now,
    Actions& out
) {
    if (from.leaving) {
        return;
    }
    from.leaving = true;
    stop_watching(from.place.id, now, out);
    reorder(now, out);
}

}  // namespace steelyard::ring
