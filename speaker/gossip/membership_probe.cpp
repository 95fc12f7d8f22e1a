#include "speaker/gossip/membership.hpp"

#include <utility>

// Failure detection: SWIM 3.1 with Lifeguard's nacks and memberlist's ping over TCP.
namespace steelyard::gossip {

using gossip_wire::AckResp;
using gossip_wire::encode;
using gossip_wire::IndirectPing;
using gossip_wire::NackResp;
using gossip_wire::Ping;

namespace {

constexpr std::size_t kMaxRelays = 1024;
constexpr std::uint8_t kTcpPingProtocol = 3;  // from this protocol version on
constexpr std::uint8_t kNackProtocol = 4;

}  // namespace

const Member* Membership::next_target(Instant now) {
    // Twice round at most: the rest of this round and one whole.
    for (std::size_t tried = 0; tried <= 2 * schedule_.size(); ++tried) {
        if (schedule_.round_over()) {
            forget_dead(now);
            schedule_.start_round(rng_);
        }
        const Member* member = table_.find(schedule_.take());
        if (member != nullptr && member->is_live() && member->name != config_.name) {
            return member;
        }
    }
    return nullptr;
}

void Membership::start_probe(Instant now, Actions& out) {
    const Member* target = next_target(now);
    if (target == nullptr) {
        return;
    }
    Probe probe;
    probe.target = target->name;
    probe.seq = ++next_seq_;
    probe.timeout = now + config_.timing.probe_timeout;
    probe.deadline = now + awareness_.scale(config_.timing.probe_interval);
    wire::Bytes ping = encode(Ping{probe.seq, target->name, config_.address, config_.name});
    if (target->state == MemberState::Alive) {
        send(target->address, std::move(ping), out);
    } else {
        // Let the suspect hear of it in the same packet, so that it can refute at once.
        std::vector<wire::Bytes> messages;
        messages.push_back(std::move(ping));
        messages.push_back(encode(gossip_wire::Suspect{
            target->incarnation, target->name, config_.name}));
        send_all(target->address, messages, target->versions.pmax >= 5, out);
    }
    probe_ = std::move(probe);
}

void Membership::probe_indirectly(Actions& out) {
    Probe& probe = *probe_;
    const Member* target = table_.find(probe.target);
    if (target == nullptr || !target->is_live()) {
        probe_.reset();
        return;
    }
    probe.indirect = true;
    const auto helpers =
        table_.pick(config_.timing.indirect_checks, rng_, [&](const Member& member) {
            return member.state == MemberState::Alive && member.name != config_.name &&
                   member.name != probe.target;
        });
    for (const Member* helper : helpers) {
        const bool nack = helper->versions.pmax >= kNackProtocol;
        probe.expected_nacks += nack ? 1 : 0;
        const IndirectPing request{
            probe.seq, target->address, target->name, nack, config_.address, config_.name};
        send(helper->address, encode(request), out);
    }
    if (target->versions.pmax >= kTcpPingProtocol) {
        open_ping(*target, out);
    }
}

// Nothing came back in time.
void Membership::finish_probe(Instant now, Actions& out) {
    const Probe probe = *std::exchange(probe_, std::nullopt);
    const Member* target = table_.find(probe.target);
    if (target == nullptr || !target->is_live()) {
        return;
    }
    // Helpers that do not even say "no answer" hint that the fault is ours.
    if (probe.expected_nacks == 0) {
        awareness_.apply(1);
    } else if (probe.nacks < probe.expected_nacks) {
        awareness_.apply(static_cast<int>(probe.expected_nacks - probe.nacks));
    }
    apply(gossip_wire::Suspect{target->incarnation, target->name, config_.name}, now, out);
}

void Membership::handle(const net::Endpoint& from, const Ping& ping, Actions& out) {
    // Meant for a node that had this address before us.
    if (!ping.node.empty() && ping.node != config_.name) {
        return;
    }
    send(ping.source.value_or(from), encode(AckResp{ping.seq, {}}), out);
}

void Membership::handle(
    const net::Endpoint& from, const IndirectPing& ping, Instant now, Actions& out
) {
    if (relays_.size() >= kMaxRelays) {
        return;
    }
    Relay relay;
    relay.requester = ping.source.value_or(from);
    relay.seq = ping.seq;
    relay.nack = ping.nack;
    relay.deadline = now + config_.timing.probe_timeout;
    const std::uint32_t seq = ++next_seq_;
    relays_[seq] = relay;
    send(ping.target, encode(Ping{seq, ping.node, config_.address, config_.name}), out);
}

void Membership::handle(const AckResp& ack, Instant now, Actions& out) {
    if (probe_ && probe_->seq == ack.seq) {
        probe_succeeded();
        return;
    }
    if (reconnect_.on_ack(ack.seq, table_.size(), now, rng_)) {
        return;
    }
    const auto relay = relays_.find(ack.seq);
    if (relay != relays_.end()) {
        const Relay done = relay->second;
        relays_.erase(relay);
        send(done.requester, encode(AckResp{done.seq, {}}), out);
    }
}

void Membership::handle(const NackResp& nack) {
    if (probe_ && probe_->seq == nack.seq) {
        ++probe_->nacks;
    }
}

void Membership::expire_relays(Instant now, Actions& out) {
    for (auto next = relays_.begin(); next != relays_.end();) {
        const auto current = next++;
        if (current->second.deadline > now) {
            continue;
        }
        const Relay expired = current->second;
        relays_.erase(current);
        if (expired.nack) {
            send(expired.requester, encode(NackResp{expired.seq}), out);
        }
    }
}

}  // namespace steelyard::gossip
