#include "speaker/io/gossip/rejoin.hpp"

#include <algorithm>

namespace steelyard::io {

using namespace std::chrono_literals;

namespace {

constexpr Duration kFirstWait = 1s;
constexpr Duration kLongestWait = 30s;

}  // namespace

void Rejoin::set_peers(const std::vector<net::Endpoint>& peers, Instant now) {
    std::map<net::Endpoint, Entry> kept;
    for (const net::Endpoint& peer : peers) {
        const auto known = peers_.find(peer);
        kept[peer] = known == peers_.end() ? Entry{now, kFirstWait} : known->second;
    }
    peers_ = std::move(kept);
}

std::vector<net::Endpoint> Rejoin::due(const std::set<net::Endpoint>& members, Instant now) {
    std::vector<net::Endpoint> out;
    for (auto& [peer, entry] : peers_) {
        if (members.count(peer) > 0) {
            entry = {now + kFirstWait, kFirstWait};
        } else if (entry.next <= now) {
            out.push_back(peer);
            const auto jitter = static_cast<Duration::rep>(
                static_cast<double>(entry.wait.count()) * (0.75 + 0.5 * rng_.unit())
            );
            entry = {now + Duration(jitter), std::min(entry.wait * 2, kLongestWait)};
        }
    }
    return out;
}

std::optional<Instant> Rejoin::next() const {
    std::optional<Instant> next;
    for (const auto& [peer, entry] : peers_) {
        next = next ? std::min(*next, entry.next) : entry.next;
    }
    return next;
}

}  // namespace steelyard::io
