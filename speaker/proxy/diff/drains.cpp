#include "speaker/proxy/diff/diff.hpp"

#include <algorithm>

namespace steelyard::proxy {

void Drains::on_applied(const Op& op, Instant now, Duration grace) {
    if (const auto* set = std::get_if<SetRealServer>(&op)) {
        if (set->weight == 0) {
            deadlines_.try_emplace(Key{set->key, set->endpoint}, now + grace);
        } else {
            deadlines_.erase(Key{set->key, set->endpoint});
        }
    } else if (const auto* removed = std::get_if<RemoveRealServer>(&op)) {
        deadlines_.erase(Key{removed->key, removed->endpoint});
    } else if (const auto* server = std::get_if<RemoveVirtualServer>(&op)) {
        std::erase_if(deadlines_, [&](const auto& drain) {
            return drain.first.first == server->key;
        });
    }
}

void Drains::adopt(
    const KernelTables& desired, const KernelTables& observed, Instant now, Duration grace
) {
    for (const auto& [key, server] : observed.virtual_servers) {
        const auto wanted = desired.virtual_servers.find(key);
        for (const auto& [endpoint, weight] : server.real_servers) {
            const bool kept = wanted != desired.virtual_servers.end() &&
                              wanted->second.real_servers.contains(endpoint);
            if (weight == 0 && !kept) {
                deadlines_.try_emplace(Key{key, endpoint}, now + grace);
            }
        }
    }
    // What somebody else removed or put back to work does not drain any more.
    std::erase_if(deadlines_, [&](const auto& drain) {
        const auto server = observed.virtual_servers.find(drain.first.first);
        if (server == observed.virtual_servers.end()) {
            return true;
        }
        const auto found = server->second.real_servers.find(drain.first.second);
        return found == server->second.real_servers.end() || found->second > 0;
    });
}

bool Drains::is_due(const Key& key, Instant now) const {
    const auto found = deadlines_.find(key);
    return found != deadlines_.end() && found->second <= now;
}

std::optional<Instant> Drains::next_deadline() const {
    const auto first = std::min_element(
        deadlines_.begin(),
        deadlines_.end(),
        [](const auto& left, const auto& right) { return left.second < right.second; }
    );
    return first == deadlines_.end() ? std::nullopt : std::optional(first->second);
}

Touched Drains::due(Instant now) const {
    Touched touched;
    for (const auto& [key, deadline] : deadlines_) {
        if (deadline <= now) {
            touched.virtual_servers.insert(key.first);
        }
    }
    return touched;
}

}  // namespace steelyard::proxy
