#include "speaker/proxy/diff/drains.hpp"

namespace steelyard::proxy {

void Drains::begin(const Key& key, Instant deadline) {
    if (deadlines_.try_emplace(key, deadline).second) {
        queue_.emplace(deadline, key);
    }
}

void Drains::expire(const Key& key) {
    erase(key);
    deadlines_.emplace(key, Instant::min());
}

void Drains::erase(const Key& key) {
    const auto found = deadlines_.find(key);
    if (found != deadlines_.end()) {
        queue_.erase({found->second, key});
        deadlines_.erase(found);
    }
}

void Drains::erase(const VirtualServerKey& server) {
    auto at = deadlines_.lower_bound(Key{server, net::Endpoint()});
    while (at != deadlines_.end() && at->first.first == server) {
        queue_.erase({at->second, at->first});
        at = deadlines_.erase(at);
    }
}

void Drains::keep_only(const VirtualServerKey& server, const RealServers& real_servers) {
    auto at = deadlines_.lower_bound(Key{server, net::Endpoint()});
    while (at != deadlines_.end() && at->first.first == server) {
        if (real_servers.contains(at->first.second)) {
            ++at;
        } else {
            queue_.erase({at->second, at->first});
            at = deadlines_.erase(at);
        }
    }
}

std::optional<Instant> Drains::deadline(const Key& key) const {
    const auto found = deadlines_.find(key);
    return found == deadlines_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Instant> Drains::next_deadline() const {
    return queue_.empty() ? std::nullopt : std::optional(queue_.begin()->first);
}

std::vector<VirtualServerKey> Drains::take_due(Instant now) {
    std::vector<VirtualServerKey> due;
    while (!queue_.empty() && queue_.begin()->first <= now) {
        due.push_back(queue_.begin()->second.first);
        queue_.erase(queue_.begin());
    }
    return due;
}

}  // namespace steelyard::proxy
