#pragma once

#include "common/base/rng.hpp"
#include "common/base/time.hpp"
#include "common/net/ip.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

// Which configured or discovered addresses to try to join, and when: those that are not members,
// at once, then less and less often (1 s doubling to 30 s, with jitter).
namespace steelyard::io {

class Rejoin {
public:
    explicit Rejoin(std::uint64_t seed) : rng_(seed) {}

    // Replaces the list; addresses that stay keep their backoff.
    void set_peers(const std::vector<net::Endpoint>& peers, Instant now);
    // Addresses to join now.
    std::vector<net::Endpoint> due(const std::set<net::Endpoint>& members, Instant now);
    [[nodiscard]] std::optional<Instant> next() const;

private:
    struct Entry {
        Instant next;
        Duration wait;
    };
    Rng rng_;
    std::map<net::Endpoint, Entry> peers_;
};

}  // namespace steelyard::io
