#include "speaker/gossip/membership.hpp"

#include <limits>
#include <utility>

// What each kind of news changes: SWIM 4.2 (incarnations: alive beats suspect only with a higher
// one, suspect beats alive with the same one, dead beats both), with memberlist's refinements.
namespace steelyard::gossip {

using gossip_wire::Alive;
using gossip_wire::Dead;
using gossip_wire::encode;
using gossip_wire::Suspect;

namespace {

// The protocol and delegate versions we speak (memberlist's defaults).
constexpr gossip_wire::Versions kOurs;

bool speaks_our_protocol(const gossip_wire::Versions& theirs) {
    return theirs.pmin > 0 && theirs.pmin <= kOurs.pcur && theirs.pmax >= kOurs.pcur &&
           theirs.dmin <= kOurs.dcur && theirs.dmax >= kOurs.dcur;
}

// About how many members probe a new suspect right away instead of in their turn. Their verdicts
// are the confirmations that shorten its suspicion, or the probe it refutes to.
constexpr std::size_t kPromptProbes = 5;

}  // namespace

void Membership::announce_self(Instant now) {
    const Member& self = me();
    broadcast(
        self.name,
        encode(Alive{self.incarnation, self.name, self.address, self.meta, self.versions}),
        now
    );
}

void Membership::refute(std::uint32_t accused, Instant now) {
    Member& self = me();
    if (accused == std::numeric_limits<std::uint32_t>::max()) {
        return;  // nothing can be higher; only a forged message gets there
    }
    self.incarnation = std::max(self.incarnation, accused) + 1;
    // Being accused says something about our own health too.
    awareness_.apply(1);
    announce_self(now);
}

// Somebody new, or somebody who is back.
void Membership::welcome(const Alive& alive, Instant now, Actions& out) {
    Member* member = table_.find(alive.node);
    if (member == nullptr) {
        if (table_.size() >= config_.max_members) {
            out.push_back(Refused{
                alive.address,
                "member " + alive.node + ": already " + std::to_string(config_.max_members) +
                    " members, which is the limit"});
            return;
        }
        Member stranger;
        stranger.name = alive.node;
        member = &table_.add(std::move(stranger));
        schedule_.insert(alive.node, rng_);
    }
    member->address = alive.address;
    member->meta = alive.meta;
    member->versions = alive.versions;
    member->incarnation = alive.incarnation;
    member->state = MemberState::Alive;
    member->since = now;
    broadcast(alive.node, encode(alive), now);
    out.push_back(Changed{Changed::Kind::Joined, *member});
}

// A member keeps its address while anybody may still reach it there.
bool Membership::may_move(Member& member, const Alive& alive, Instant now, Actions& out) {
    const auto& reclaim = config_.timing.dead_reclaim;
    if (member.state == MemberState::Left ||
        (member.state == MemberState::Dead && reclaim && now - member.since > *reclaim)) {
        return true;
    }
    out.push_back(Conflict{member, alive.address});
    return false;
}

void Membership::apply(const Alive& alive, Instant now, Actions& out) {
    if (!speaks_our_protocol(alive.versions)) {
        out.push_back(Refused{
            alive.address,
            "member " + alive.node + ": speaks protocol " + std::to_string(alive.versions.pmin) +
                " to " + std::to_string(alive.versions.pmax) + ", we need " +
                std::to_string(kOurs.pcur)});
        return;
    }
    Member* member = table_.find(alive.node);
    if (member == nullptr) {
        welcome(alive, now, out);
        return;
    }
    const bool moves = member->address != alive.address;
    if (moves && !may_move(*member, alive, now, out)) {
        return;
    }
    if (alive.node == config_.name) {
        // Somebody remembers an earlier life of ours, or an echo: only the former needs an answer.
        const bool echo = alive.incarnation == member->incarnation && alive.meta == member->meta &&
                          alive.versions == member->versions;
        if (!leaving_ && alive.incarnation >= member->incarnation && !echo) {
            refute(alive.incarnation, now);
        }
        return;
    }
    if (alive.incarnation <= member->incarnation && !moves) {
        return;
    }
    suspicions_.erase(alive.node);
    if (!member->is_live()) {
        welcome(alive, now, out);
        return;
    }
    const bool suspected = member->state == MemberState::Suspect;
    const bool updated = member->meta != alive.meta;
    member->meta = alive.meta;
    member->versions = alive.versions;
    member->incarnation = alive.incarnation;
    broadcast(alive.node, encode(alive), now);
    if (suspected) {
        member->state = MemberState::Alive;
        member->since = now;
        out.push_back(Changed{Changed::Kind::Recovered, *member});
    }
    if (updated) {
        out.push_back(Changed{Changed::Kind::Updated, *member});
    }
}

void Membership::apply(const Suspect& suspect, Instant now, Actions& out) {
    Member* member = table_.find(suspect.node);
    if (member == nullptr || suspect.incarnation < member->incarnation) {
        return;
    }
    if (const auto running = suspicions_.find(suspect.node); running != suspicions_.end()) {
        if (running->second.confirm(suspect.from)) {
            broadcast(suspect.node, encode(suspect), now);
        }
        return;
    }
    if (member->state != MemberState::Alive) {
        return;
    }
    if (suspect.node == config_.name) {
        refute(suspect.incarnation, now);
        return;
    }
    member->incarnation = suspect.incarnation;
    member->state = MemberState::Suspect;
    member->since = now;
    broadcast(suspect.node, encode(suspect), now);

    const Timing& timing = config_.timing;
    // Two less than the multiplier, because the timeout was to be hit two probe intervals early.
    // Without enough others to confirm, none is waited for.
    unsigned k = timing.suspicion_mult > 2 ? timing.suspicion_mult - 2 : 0;
    if (table_.size() < std::size_t{k} + 2) {
        k = 0;
    }
    const Duration min =
        suspicion_timeout(timing.suspicion_mult, table_.size(), timing.probe_interval);
    suspicions_.emplace(
        suspect.node, Suspicion(suspect.from, k, min, min * timing.suspicion_max_mult, now)
    );
    if (suspect.from != config_.name && rng_.below(table_.size()) < kPromptProbes) {
        schedule_.hasten(suspect.node);
    }
    out.push_back(Changed{Changed::Kind::Suspected, *member});
}

void Membership::apply(const Dead& dead, Instant now, Actions& out) {
    Member* member = table_.find(dead.node);
    if (member == nullptr || dead.incarnation < member->incarnation) {
        return;
    }
    if (!member->is_live()) {
        return;
    }
    const bool about_us = dead.node == config_.name;
    if (about_us && !leaving_) {
        refute(dead.incarnation, now);
        return;
    }
    suspicions_.erase(dead.node);
    const bool left = dead.node == dead.from;
    member->incarnation = dead.incarnation;
    member->state = left ? MemberState::Left : MemberState::Dead;
    member->since = now;
    broadcast(dead.node, encode(dead), now);
    if (!about_us) {
        out.push_back(Changed{left ? Changed::Kind::Left : Changed::Kind::Failed, *member});
    }
}

void Membership::merge(const gossip_wire::PushPull& remote, Instant now, Actions& out) {
    for (const gossip_wire::PushNodeState& theirs : remote.nodes) {
        const Alive& node = theirs.node;
        switch (theirs.state) {
            case MemberState::Alive:
                apply(node, now, out);
                break;
            case MemberState::Left:
                apply(Dead{node.incarnation, node.node, node.node}, now, out);
                break;
            case MemberState::Dead:  // hearsay: suspect first, so that it can still refute
            case MemberState::Suspect:
                apply(Suspect{node.incarnation, node.node, config_.name}, now, out);
                break;
        }
    }
}

void Membership::expire_suspicions(Instant now, Actions& out) {
    std::vector<std::string> expired;
    for (const auto& [name, suspicion] : suspicions_) {
        if (suspicion.deadline() <= now) {
            expired.push_back(name);
        }
    }
    for (const std::string& name : expired) {
        suspicions_.erase(name);
        if (const Member* member = table_.find(name)) {
            apply(Dead{member->incarnation, name, config_.name}, now, out);
        }
    }
}

void Membership::forget_dead(Instant now) {
    const auto names = table_.forget([&](const Member& member) {
        return !member.is_live() && member.name != config_.name &&
               now - member.since > config_.timing.gossip_to_the_dead;
    });
    schedule_.remove(names);
}

}  // namespace steelyard::gossip
