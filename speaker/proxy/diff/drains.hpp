#pragma once

#include "common/base/time.hpp"
#include "speaker/proxy/tables.hpp"

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace steelyard::proxy {

// When each real server that nobody wants any more goes for good. Those a plan still lists with
// weight 0 are not here: their pods are there, and their connections may stay.
class Drains {
public:
    using Key = std::pair<VirtualServerKey, net::Endpoint>;

    // The first deadline stands: being told again does not prolong it.
    void begin(const Key& key, Instant deadline);
    // Nothing is left to wait for.
    void expire(const Key& key);
    void erase(const Key& key);
    void erase(const VirtualServerKey& server);
    // Forgets those of the server that are not among these.
    void keep_only(const VirtualServerKey& server, const RealServers& real_servers);

    [[nodiscard]] std::optional<Instant> deadline(const Key& key) const;
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    // The virtual servers with a real server whose time is over; each is named once and then only
    // when asked for again.
    [[nodiscard]] std::vector<VirtualServerKey> take_due(Instant now);
    [[nodiscard]] bool empty() const { return deadlines_.empty(); }

private:
    std::map<Key, Instant> deadlines_;
    std::set<std::pair<Instant, Key>> queue_;  // those not yet named as due
};

}  // namespace steelyard::proxy
