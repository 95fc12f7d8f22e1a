#include "speaker/gossip/membership.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

// Streams: exchange of full state (push/pull) on joining and now and then, and pings where UDP gets
// lost.
namespace steelyard::gossip {

using gossip_wire::encode;
using gossip_wire::seal_stream;
using gossip_wire::StreamMessage;
using gossip_wire::StreamReader;

namespace {

constexpr double kScaleFrom = 32;  // members; below, the interval is what was configured

}  // namespace

Duration Membership::push_pull_interval() const {
    const auto members = static_cast<double>(table_.size());
    if (members <= kScaleFrom) {
        return config_.timing.push_pull_interval;
    }
    return config_.timing.push_pull_interval *
           (static_cast<int>(std::ceil(std::log2(members) - std::log2(kScaleFrom))) + 1);
}

gossip_wire::PushPull Membership::local_state(bool join) const {
    gossip_wire::PushPull out;
    out.join = join;
    for (const Member& member : table_.all()) {
        gossip_wire::Alive node{
            member.incarnation, member.name, member.address, member.meta, member.versions};
        out.nodes.push_back({std::move(node), member.state});
    }
    return out;
}

void Membership::open_push_pull(const net::Endpoint& to, bool join, Instant now, Actions& out) {
    const StreamId id = ++next_stream_;
    Stream stream;
    stream.kind = Stream::Kind::PushPull;
    stream.peer = to;
    stream.reader = std::make_unique<StreamReader>(config_.envelope, false);
    streams_.emplace(id, std::move(stream));
    ++counters_.streams_out;
    out.push_back(OpenStream{
        id,
        to,
        seal_stream(config_.envelope, encode(local_state(join)), true, random_),
        now + config_.timing.stream_timeout});
}

void Membership::open_ping(const Member& target, Actions& out) {
    const StreamId id = ++next_stream_;
    Stream stream;
    stream.kind = Stream::Kind::Ping;
    stream.peer = target.address;
    stream.seq = probe_->seq;
    stream.reader = std::make_unique<StreamReader>(config_.envelope, false);
    streams_.emplace(id, std::move(stream));
    ++counters_.streams_out;
    const gossip_wire::Ping ping{probe_->seq, target.name, config_.address, config_.name};
    out.push_back(OpenStream{
        id,
        target.address,
        seal_stream(config_.envelope, encode(ping), true, random_),
        probe_->deadline});
}

void Membership::push_pull(Instant now, Actions& out) {
    const auto peers = table_.pick(1, rng_, [&](const Member& member) {
        return member.state == MemberState::Alive && member.name != config_.name;
    });
    if (!peers.empty()) {
        open_push_pull(peers.front()->address, false, now, out);
    }
}

void Membership::reconnect(Instant now, Actions& out) {
    const Reconnect::Orders orders = reconnect_.due(table_, now, rng_);
    for (const net::Endpoint& to : orders.join) {
        ++counters_.reconnect_streams;
        open_push_pull(to, true, now, out);
    }
    if (orders.ping) {
        ++counters_.reconnect_pings;
        const std::uint32_t seq = ++next_seq_;
        reconnect_.pinged(seq, *orders.ping, now);
        // Whoever is there now may answer: the name we knew may be gone.
        std::vector<wire::Bytes> messages;
        messages.push_back(encode(gossip_wire::Ping{seq, {}, config_.address, config_.name}));
        for (const auto& [name, suspicion] : suspicions_) {
            const Member* suspect = table_.find(name);
            if (suspect != nullptr && suspect->address == *orders.ping) {
                messages.push_back(encode(gossip_wire::Suspect{
                    suspect->incarnation, name, config_.name}));
                break;
            }
        }
        send_all(*orders.ping, messages, false, out);
    }
}

std::optional<StreamId> Membership::on_stream_accepted(const net::Endpoint& from) {
    const auto same = std::count_if(streams_.begin(), streams_.end(), [&](const auto& entry) {
        return entry.second.kind == Stream::Kind::Inbound &&
               entry.second.peer.address == from.address;
    });
    if (inbound_streams_ >= config_.max_inbound_streams ||
        static_cast<std::size_t>(same) >= config_.max_inbound_streams_per_address) {
        ++counters_.refused[static_cast<std::size_t>(gossip_wire::Refusal::Limit)];
        return std::nullopt;
    }
    ++counters_.streams_in;
    ++inbound_streams_;
    const StreamId id = ++next_stream_;
    Stream stream;
    stream.peer = from;
    stream.reader = std::make_unique<StreamReader>(config_.envelope, true);
    streams_.emplace(id, std::move(stream));
    return id;
}

void Membership::on_stream_data(
    StreamId id, std::span<const std::byte> bytes, Instant now, Actions& out
) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) {
        return;
    }
    Stream& stream = found->second;
    auto message = stream.reader->feed(bytes);
    if (stream.kind == Stream::Kind::Inbound) {
        inbound_bytes_ += stream.reader->held() - stream.held;
        stream.held = stream.reader->held();
    }
    if (message && !*message && inbound_bytes_ > config_.max_inbound_bytes) {
        message = gossip_wire::make_error(
            gossip_wire::Refusal::Oversized,
            "gossip stream: all streams together hold more than the limit of " +
                std::to_string(config_.max_inbound_bytes) + " bytes"
        );
    }
    const auto nonce = stream.reader->nonce();
    if (message && *message && !nonce.empty() && !replays_.admit(nonce)) {
        message =
            gossip_wire::make_error(gossip_wire::Refusal::Replay, "gossip stream: arrived before");
    }
    if (!message) {
        refuse(
            stream.peer, gossip_wire::refusal_of(message.error()), to_string(message.error()), out
        );
        close_stream(id, out);
        return;
    }
    if (message->has_value()) {
        handle_stream(id, std::move(**message), now, out);
        close_stream(id, out);
    }
}

void Membership::handle_stream(StreamId id, StreamMessage message, Instant now, Actions& out) {
    const Stream& stream = streams_.find(id)->second;
    const bool inbound = stream.kind == Stream::Kind::Inbound;
    if (const auto* remote = std::get_if<gossip_wire::PushPull>(&message)) {
        const std::uint32_t before = self().incarnation;
        if (inbound || stream.kind == Stream::Kind::PushPull) {
            merge(*remote, now, out);
        }
        if (inbound) {
            // After the merge: if they thought us dead, this is the refutation they need.
            const auto reply = encode(local_state(remote->join));
            out.push_back(SendStream{id, seal_stream(config_.envelope, reply, false, random_)});
        } else if (self().incarnation != before) {
            // And here nobody would tell them before gossip happens to.
            send(stream.peer, encode(alive_self()), out);
        }
    } else if (const auto* ping = std::get_if<gossip_wire::Ping>(&message)) {
        if (inbound && (ping->node.empty() || ping->node == config_.name)) {
            const auto reply = encode(gossip_wire::AckResp{ping->seq, {}});
            out.push_back(SendStream{id, seal_stream(config_.envelope, reply, false, random_)});
        }
    } else if (const auto* ack = std::get_if<gossip_wire::AckResp>(&message)) {
        if (stream.kind == Stream::Kind::Ping && ack->seq == stream.seq) {
            handle(*ack, now, out);
        }
    } else if (const auto* err = std::get_if<gossip_wire::Err>(&message)) {
        refuse(
            stream.peer,
            gossip_wire::Refusal::Malformed,
            "gossip stream: the peer says: " + err->error,
            out
        );
    } else {
        ++counters_.user_messages;
    }
}

void Membership::forget_stream(std::map<StreamId, Stream>::iterator stream) {
    if (stream->second.kind == Stream::Kind::Inbound) {
        --inbound_streams_;
        inbound_bytes_ -= stream->second.held;
    }
    streams_.erase(stream);
}

void Membership::close_stream(StreamId id, Actions& out) {
    forget_stream(streams_.find(id));
    out.push_back(CloseStream{id});
}

void Membership::on_stream_closed(StreamId id) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) {
        return;
    }
    if (found->second.kind == Stream::Kind::Inbound && found->second.held > 0) {
        // It ended in the middle of its message.
        ++counters_.refused[static_cast<std::size_t>(gossip_wire::Refusal::Malformed)];
    }
    forget_stream(found);
}

}  // namespace steelyard::gossip
