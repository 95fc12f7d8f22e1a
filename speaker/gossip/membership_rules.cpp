#include "speaker/gossip/membership.hpp"

#include <algorithm>
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

// About how many members probe a new suspect right away instead of in their turn. Their verdicts
// are the confirmations that shorten its suspicion, or the probe it refutes to.
constexpr std::size_t kPromptProbes = 5;

// More accusations than this in one exchange of state mean a partition, not a few deaths.
constexpr std::size_t kHearsay = 4;
constexpr std::size_t kQuestioned = 64;  // at most so many packets for one exchange

// Where a packet can be sent to.
bool is_unicast(const net::Endpoint& endpoint) {
    return !endpoint.address.is_unspecified() && !endpoint.address.is_multicast() &&
           endpoint.address != net::IpAddress::v4(0xffffffffU);
}

}  // namespace

// Each side's current version must lie in what the other understands.
bool Membership::speaks_our_protocol(const gossip_wire::Versions& theirs) const {
    const gossip_wire::Versions& ours = config_.versions;
    const auto within = [](std::uint8_t low, std::uint8_t value, std::uint8_t high) {
        return low <= value && value <= high;
    };
    return theirs.pmin > 0 && within(theirs.pmin, ours.pcur, theirs.pmax) &&
           within(ours.pmin, theirs.pcur, ours.pmax) &&
           within(theirs.dmin, ours.dcur, theirs.dmax) && within(ours.dmin, theirs.dcur, ours.dmax);
}

void Membership::announce_self(Instant now) {
    broadcast(config_.name, encode(alive_self()), now);
}

Alive Membership::alive_self() const {
    const Member& us = self();
    return Alive{us.incarnation, us.name, us.address, us.meta, us.versions};
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
            refuse(
                alive.address,
                gossip_wire::Refusal::Limit,
                "member " + alive.node + ": already " + std::to_string(config_.max_members) +
                    " members, which is the limit",
                out
            );
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
    reconnect_.members_changed(now, rng_);
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
    ++counters_.refused[static_cast<std::size_t>(gossip_wire::Refusal::Conflict)];
    out.push_back(Conflict{member, alive.address});
    return false;
}

void Membership::apply(const Alive& alive, Instant now, Actions& out) {
    if (!speaks_our_protocol(alive.versions)) {
        const gossip_wire::Versions& theirs = alive.versions;
        const gossip_wire::Versions& ours = config_.versions;
        const auto text = [](std::uint8_t low, std::uint8_t current, std::uint8_t high) {
            return std::to_string(current) + " of " + std::to_string(low) + " to " +
                   std::to_string(high);
        };
        refuse(
            alive.address,
            gossip_wire::Refusal::Version,
            "member " + alive.node + ": speaks protocol " +
                text(theirs.pmin, theirs.pcur, theirs.pmax) + ", delegate " +
                text(theirs.dmin, theirs.dcur, theirs.dmax) + "; we speak " +
                text(ours.pmin, ours.pcur, ours.pmax) + ", delegate " +
                text(ours.dmin, ours.dcur, ours.dmax),
            out
        );
        return;
    }
    if (!is_unicast(alive.address)) {
        refuse(
            alive.address,
            gossip_wire::Refusal::Malformed,
            "member " + alive.node + ": its address is not one of a host",
            out
        );
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
            wake_for(running->second);
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
    const auto started =
        suspicions_
            .emplace(
                suspect.node, Suspicion(suspect.from, k, min, min * timing.suspicion_max_mult, now)
            )
            .first;
    wake_for(started->second);
    reconnect_.members_changed(now, rng_);
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
        reconnect_.members_changed(now, rng_);
        out.push_back(Changed{left ? Changed::Kind::Left : Changed::Kind::Failed, *member});
    }
}

void Membership::merge(const gossip_wire::PushPull& remote, Instant now, Actions& out) {
    // What we remember of the dead would stand in the way of their return.
    forget_dead(now);
    std::vector<Suspect> accused;
    for (const gossip_wire::PushNodeState& theirs : remote.nodes) {
        const Alive& node = theirs.node;
        switch (theirs.state) {
            case MemberState::Alive:
                apply(node, now, out);
                break;
            case MemberState::Left:
                apply(Dead{node.incarnation, node.node, node.node}, now, out);
                break;
            case MemberState::Dead:
            case MemberState::Suspect:
                accused.push_back(Suspect{node.incarnation, node.node, config_.name});
                break;
        }
    }
    const bool partition = accused.size() > kHearsay;
    for (const Suspect& suspect : accused) {
        if (!partition || suspect.node == config_.name) {
            apply(suspect, now, out);  // hearsay: suspect first, so that it can still refute
        }
    }
    if (partition) {
        question(std::move(accused), out);
    }
}

// The other side of a partition takes half of our ring for dead. To suspect them all would be a
// flood of accusations that the refutations have to overtake; instead they are told directly, some
// by each exchange, and refute. Whoever really is dead will be found out by probing.
void Membership::question(std::vector<Suspect> accused, Actions& out) {
    std::shuffle(accused.begin(), accused.end(), rng_);
    std::size_t told = 0;
    for (const Suspect& suspect : accused) {
        const Member* member = table_.find(suspect.node);
        if (told == kQuestioned || member == nullptr || !member->is_live() ||
            suspect.incarnation < member->incarnation || suspect.node == config_.name) {
            continue;
        }
        ++told;
        const wire::Bytes message = encode(suspect);
        send_all(member->address, std::span(&message, 1), false, out);
    }
}

void Membership::expire_suspicions(Instant now, Actions& out) {
    if (!next_suspicion_ || *next_suspicion_ > now) {
        return;
    }
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
    find_next_suspicion();
}

void Membership::wake_for(const Suspicion& suspicion) {
    const Instant at = suspicion.deadline();
    next_suspicion_ = next_suspicion_ ? std::min(*next_suspicion_, at) : at;
}

void Membership::find_next_suspicion() {
    next_suspicion_.reset();
    for (const auto& [name, suspicion] : suspicions_) {
        wake_for(suspicion);
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
