#include "speaker/gossip/membership.hpp"

#include "common/base/check.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::gossip {

using gossip_wire::PacketMessage;

namespace {

constexpr std::size_t kBurstFrom = 64;  // messages waiting
constexpr std::size_t kMaxBurst = 8;

Duration random_part(Rng& rng, Duration of) {
    return Duration(static_cast<Duration::rep>(rng.below(static_cast<std::uint64_t>(of.count()))));
}

}  // namespace

Membership::Membership(Config config, Rng rng, gossip_wire::RandomBytes random, Instant now)
    : config_(std::move(config)),
      rng_(rng),
      random_(std::move(random)),
      awareness_(config_.timing.awareness_max),
      reconnect_(config_.timing.reconnect_interval, config_.address),
      // A random start keeps nodes that boot together from ticking together.
      next_probe_(now + random_part(rng_, config_.timing.probe_interval)),
      next_push_pull_(now + random_part(rng_, config_.timing.push_pull_interval)) {
    SY_CHECK(validate(config_).has_value(), "the caller validates the gossip config");
    Member self;
    self.name = config_.name;
    self.address = config_.address;
    self.meta = config_.meta;
    self.incarnation = config_.first_incarnation;
    self.versions = config_.versions;
    self.since = now;
    table_.add(std::move(self));
    schedule_.insert(config_.name, rng_);
    announce_self(now);
}

Member& Membership::me() {
    return *table_.find(config_.name);
}

const Member& Membership::self() const {
    return *table_.find(config_.name);
}

std::vector<Member> Membership::members() const {
    std::vector<Member> out = table_.all();
    std::sort(out.begin(), out.end(), [](const Member& a, const Member& b) {
        return a.name < b.name;
    });
    return out;
}

void Membership::join(std::span<const net::Endpoint> peers, Instant now, Actions& out) {
    for (const net::Endpoint& peer : peers) {
        if (peer != config_.address && !leaving_) {
            open_push_pull(peer, true, now, out);
        }
    }
}

void Membership::set_peers(std::vector<net::Endpoint> peers, Instant now) {
    if (!leaving_) {
        reconnect_.set_peers(std::move(peers), now);
    }
}

void Membership::know(std::span<const Member> members, Instant now) {
    table_.reserve(members.size() + 1);
    schedule_.reserve(members.size() + 1);
    for (const Member& member : members) {
        if (table_.find(member.name) == nullptr) {
            table_.add(member).since = now;
            schedule_.insert(member.name, rng_);
        }
    }
}

Result<> Membership::set_keys(gossip_wire::KeyRing keys) {
    if (keys.enabled() != config_.envelope.keys.enabled()) {
        return make_error(
            Errc::Invalid, "gossip keys: encryption cannot be switched on or off while running"
        );
    }
    config_.envelope.keys = std::move(keys);
    return {};
}

void Membership::leave(Instant now, Actions& out) {
    if (leaving_) {
        return;
    }
    leaving_ = true;
    probe_.reset();
    reconnect_.stop();
    apply(gossip_wire::Dead{self().incarnation, config_.name, config_.name}, now, out);
    const auto& all = table_.all();
    if (std::none_of(all.begin(), all.end(), [](const Member& m) { return m.is_live(); })) {
        leave_finished_ = true;
        out.push_back(LeaveFinished());
    }
}

// Our good-bye is out once the queue has dropped it.
void Membership::check_leave(Actions& out) {
    if (leaving_ && !leave_finished_ && !queue_.contains(config_.name)) {
        leave_finished_ = true;
        out.push_back(LeaveFinished());
    }
}

Result<> Membership::update_meta(wire::Bytes meta, Instant now) {
    if (meta.size() > gossip_wire::kMaxMeta) {
        return make_error(
            Errc::Invalid,
            "gossip meta: " + std::to_string(meta.size()) + " bytes, want at most " +
                std::to_string(gossip_wire::kMaxMeta)
        );
    }
    if (leaving_ || meta == self().meta) {
        return {};
    }
    me().meta = std::move(meta);
    ++me().incarnation;
    announce_self(now);
    return {};
}

void Membership::refuse(
    const net::Endpoint& from, gossip_wire::Refusal reason, std::string why, Actions& out
) {
    ++counters_.refused[static_cast<std::size_t>(reason)];
    out.push_back(Refused{from, reason, std::move(why)});
}

void Membership::on_packet(
    const net::Endpoint& from, std::span<const std::byte> bytes, Instant now, Actions& out
) {
    ++counters_.packets_in;
    counters_.bytes_in += bytes.size();
    auto opened = gossip_wire::open_packet(config_.envelope, bytes);
    if (!opened) {
        refuse(from, gossip_wire::refusal_of(opened.error()), to_string(opened.error()), out);
        return;
    }
    if (!opened->nonce.empty() && !replays_.admit(opened->nonce)) {
        refuse(from, gossip_wire::Refusal::Replay, "gossip packet: arrived before", out);
        return;
    }
    for (const Error& error : opened->refused) {
        refuse(from, gossip_wire::refusal_of(error), to_string(error), out);
    }
    for (const PacketMessage& message : opened->messages) {
        handle(from, message, now, out);
    }
}

void Membership::handle(
    const net::Endpoint& from, const PacketMessage& message, Instant now, Actions& out
) {
    std::visit(
        [&](const auto& value) {
            using T = std::decay_t<decltype(value)>;
            if constexpr (std::is_same_v<T, gossip_wire::Ping>) {
                handle(from, value, out);
            } else if constexpr (std::is_same_v<T, gossip_wire::IndirectPing>) {
                handle(from, value, now, out);
            } else if constexpr (std::is_same_v<T, gossip_wire::AckResp>) {
                handle(value, now, out);
            } else if constexpr (std::is_same_v<T, gossip_wire::NackResp>) {
                handle(value);
            } else if constexpr (std::is_same_v<T, gossip_wire::User>) {
                ++counters_.user_messages;
            } else {
                apply(value, now, out);
            }
        },
        message
    );
}

std::optional<Instant> Membership::next_deadline() const {
    std::optional<Instant> next = next_gossip_;
    const auto consider = [&](Instant at) {
        next = next ? std::min(*next, at) : at;
    };
    if (!leaving_) {
        consider(next_probe_);
        consider(next_push_pull_);
    }
    if (probe_) {
        consider(probe_->indirect ? probe_->deadline : probe_->timeout);
    }
    for (const auto& [seq, relay] : relays_) {
        consider(relay.deadline);
    }
    if (next_suspicion_) {
        consider(*next_suspicion_);
    }
    if (const auto reconnect = reconnect_.next()) {
        consider(*reconnect);
    }
    return next;
}

// When this process itself did not run (paused, starved), answers and refutations may be waiting
// unread; what the others missed in that time must not count against them.
void Membership::forgive_stall(Instant now) {
    const auto due = next_deadline();
    if (!due || now - *due <= config_.timing.probe_timeout) {
        return;
    }
    const Duration late = now - *due;
    awareness_.apply(1);
    if (probe_) {
        probe_->timeout += late;
        probe_->deadline += late;
    }
    for (auto& [name, suspicion] : suspicions_) {
        suspicion.postpone(late);
    }
    find_next_suspicion();
}

void Membership::on_deadline(Instant now, Actions& out) {
    forgive_stall(now);
    expire_suspicions(now, out);
    expire_relays(now, out);
    if (probe_ && !probe_->indirect && probe_->timeout <= now) {
        probe_indirectly(out);
    }
    if (probe_ && probe_->indirect && probe_->deadline <= now) {
        finish_probe(now, out);
    }
    if (!leaving_ && next_probe_ <= now) {
        // Ticks missed are missed: no burst after a pause.
        next_probe_ = std::max(next_probe_ + config_.timing.probe_interval, now);
        if (!probe_) {
            start_probe(now, out);
        }
    }
    if (!leaving_ && next_push_pull_ <= now) {
        next_push_pull_ = now + push_pull_interval();
        push_pull(now, out);
    }
    if (const auto due = reconnect_.next(); due && *due <= now) {
        reconnect(now, out);
    }
    if (next_gossip_ && *next_gossip_ <= now) {
        gossip(now, out);
    }
}

void Membership::broadcast(const std::string& about, wire::Bytes message, Instant now) {
    queue_.push(about, std::move(message));
    if (!next_gossip_) {
        next_gossip_ = std::max(now, last_gossip_ + config_.timing.gossip_interval);
    }
}

std::vector<wire::Bytes> Membership::take_broadcasts(std::size_t space) {
    return queue_.take(
        gossip_wire::kCompoundOverhead,
        space,
        retransmit_limit(config_.timing.retransmit_mult, table_.size())
    );
}

void Membership::gossip(Instant now, Actions& out) {
    last_gossip_ = now;
    next_gossip_.reset();
    // With much to tell (after a partition, say), more members are told at once.
    const std::size_t burst = std::min(kMaxBurst, 1 + queue_.size() / kBurstFrom);
    const auto targets =
        table_.pick(config_.timing.gossip_nodes * burst, rng_, [&](const Member& member) {
            return member.name != config_.name &&
                   (member.is_live() || (member.state == MemberState::Dead &&
                                         now - member.since <= config_.timing.gossip_to_the_dead));
        });
    for (const Member* target : targets) {
        const auto messages = take_broadcasts(gossip_wire::message_space(config_.envelope));
        if (messages.empty()) {
            return;
        }
        send_all(target->address, messages, target->versions.pmax >= 5, out);
    }
    // Alone, there is nobody to tell; who joins learns everything from the exchange of state.
    if (!queue_.empty() && !targets.empty()) {
        next_gossip_ = now + config_.timing.gossip_interval;
    }
}

// A message for one peer, with news in the room that is left beside it.
void Membership::send(const net::Endpoint& to, wire::Bytes message, Actions& out) {
    const std::size_t space = gossip_wire::message_space(config_.envelope);
    const std::size_t used = message.size() + gossip_wire::kCompoundOverhead;
    std::vector<wire::Bytes> messages;
    messages.push_back(std::move(message));
    if (!queue_.empty() && used < space) {
        for (wire::Bytes& news : take_broadcasts(space - used)) {
            messages.push_back(std::move(news));
        }
    }
    send_all(to, messages, false, out);
}

void Membership::send_all(
    const net::Endpoint& to, std::span<const wire::Bytes> messages, bool crc, Actions& out
) {
    for (wire::Bytes& packet :
         gossip_wire::seal_packets(config_.envelope, messages, crc, random_)) {
        ++counters_.packets_out;
        counters_.bytes_out += packet.size();
        out.push_back(SendPacket{to, std::move(packet)});
    }
    check_leave(out);
}

}  // namespace steelyard::gossip
