#include "speaker/gossip/reconnect.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::gossip {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kFirstStreams = 3;  // while we know nobody
constexpr unsigned kStreamEvery = 8;      // tries, in case only TCP gets through
constexpr std::size_t kPingsKept = 16;
constexpr Duration kPingLife = 2s;
// All members together try one missing address about 250 times a second at most, and as many of
// them exchange state with who answers; the others then hear of it by gossip.
constexpr Duration kShare = 4ms;
constexpr std::size_t kSmallCluster = 100;

Duration times(Duration span, double factor) {
    return Duration(static_cast<Duration::rep>(static_cast<double>(span.count()) * factor));
}

bool is_live_at(const MemberTable& table, const net::Endpoint& address) {
    const auto& all = table.all();
    return std::any_of(all.begin(), all.end(), [&](const Member& member) {
        return member.address == address && member.is_live();
    });
}

}  // namespace

void Reconnect::set_peers(std::vector<net::Endpoint> peers, Instant now) {
    std::sort(peers.begin(), peers.end());
    peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
    std::erase(peers, self_);
    if (peers == peers_) {
        return;
    }
    peers_ = std::move(peers);
    stale_ = true;
    next_ = now;
}

void Reconnect::members_changed(Instant now, Rng& rng) {
    stale_ = true;
    if (!next_) {
        next_ = now + pause(0, 1, rng);
    }
}

void Reconnect::stop() {
    *this = Reconnect(interval_, self_);
}

void Reconnect::look(const MemberTable& table, Rng& rng) {
    std::vector<bool> seen(peers_.size());
    std::vector<net::Endpoint> suspects;
    round_.clear();
    std::size_t live = 0;
    for (const Member& member : table.all()) {
        const auto peer = std::lower_bound(peers_.begin(), peers_.end(), member.address);
        if (peer != peers_.end() && *peer == member.address && member.state != MemberState::Left) {
            seen[static_cast<std::size_t>(peer - peers_.begin())] = true;
        }
        live += member.is_live() ? 1U : 0U;
        if (member.state == MemberState::Dead) {
            round_.push_back(member.address);
        } else if (member.state == MemberState::Suspect) {
            suspects.push_back(member.address);
        }
    }
    for (std::size_t i = 0; i < peers_.size(); ++i) {
        if (!seen[i]) {
            round_.push_back(peers_[i]);
        }
    }
    std::shuffle(round_.begin(), round_.end(), rng);
    std::shuffle(suspects.begin(), suspects.end(), rng);
    round_.insert(round_.end(), suspects.begin(), suspects.end());  // taken from the end
    missing_ = round_.size();
    alone_ = live <= 1;
    stale_ = false;
}

Duration Reconnect::share(std::size_t members, std::size_t missing) {
    return times(kShare, static_cast<double>(members)) /
           static_cast<Duration::rep>(std::max(missing, std::size_t{1}));
}

Duration Reconnect::pause(std::size_t members, std::size_t missing, Rng& rng) const {
    return times(std::max(interval_, share(members, missing)), 0.75 + 0.5 * rng.unit());
}

Reconnect::Orders Reconnect::due(const MemberTable& table, Instant now, Rng& rng) {
    Orders out;
    std::erase_if(pinged_, [&](const Pinged& ping) { return ping.expires <= now; });
    for (const Join& join : joins_) {
        if (join.at <= now && !is_live_at(table, join.to)) {
            out.join.push_back(join.to);
        }
    }
    std::erase_if(joins_, [&](const Join& join) { return join.at <= now; });
    if (!next_ || *next_ > now) {
        return out;
    }
    if (stale_ || round_.empty()) {
        look(table, rng);
    }
    if (round_.empty()) {
        next_.reset();
        idle_ = true;
        return out;
    }
    if (std::exchange(idle_, false) && !alone_) {
        // All members begin to look at about the same time. Where many look for few, they take
        // turns from the first try on.
        if (const Duration turn = share(table.size(), missing_); turn > interval_) {
            next_ = now + times(turn, rng.unit());
            return out;
        }
    }
    // Ourselves in the table: alone, a stream is worth more than a ping, since it needs no second.
    const std::size_t streams = !alone_ ? 0 : attempts_ == 0 ? kFirstStreams : 1;
    for (std::size_t i = 0; i < streams && !round_.empty(); ++i) {
        out.join.push_back(round_.back());
        round_.pop_back();
    }
    if (streams == 0) {
        if (attempts_ % kStreamEvery == kStreamEvery - 1) {
            out.join.push_back(round_.back());
        } else {
            out.ping = round_.back();
        }
        round_.pop_back();
    }
    ++attempts_;
    next_ = now + pause(table.size(), missing_, rng);
    return out;
}

void Reconnect::pinged(std::uint32_t seq, const net::Endpoint& to, Instant now) {
    if (pinged_.size() >= kPingsKept) {
        pinged_.erase(pinged_.begin());
    }
    pinged_.push_back({seq, to, now + kPingLife});
}

bool Reconnect::on_ack(std::uint32_t seq, std::size_t members, Instant now, Rng& rng) {
    const auto found = std::find_if(pinged_.begin(), pinged_.end(), [&](const Pinged& ping) {
        return ping.seq == seq;
    });
    if (found == pinged_.end()) {
        return false;
    }
    const net::Endpoint to = found->to;
    pinged_.erase(found);
    const bool waiting =
        std::any_of(joins_.begin(), joins_.end(), [&](const Join& join) { return join.to == to; });
    if (!waiting) {
        // Many members hear the answer at about the same time; in a large cluster the first few
        // exchanges of state make the others' unnecessary.
        const std::size_t crowd = members > kSmallCluster ? members - kSmallCluster : 0;
        joins_.push_back({now + times(kShare, static_cast<double>(crowd) * rng.unit()), to});
    }
    return true;
}

std::optional<Instant> Reconnect::next() const {
    std::optional<Instant> next = next_;
    for (const Join& join : joins_) {
        next = next ? std::min(*next, join.at) : join.at;
    }
    return next;
}

}  // namespace steelyard::gossip
