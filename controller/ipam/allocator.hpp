#pragma once

#include "common/config/config.hpp"
#include "controller/ipam/free_space.hpp"
#include "controller/ipam/request.hpp"

#include <array>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

// Who holds which external address. Deterministic: the same calls give the same answers. Candidate
// pools are the pinned ones that admit the Service (priority, then name), then the unpinned ones by
// name; inside a pool the lowest address wins that is free or can be shared. A Service's addresses
// always come from one pool. The table lives in memory only: after a restart the owner adopts every
// address it finds in Service status before it allocates the first new one.
namespace steelyard::ipam {

struct Assignment {
    std::string pool;  // "" after set_pools() left the addresses outside every pool
    std::vector<net::IpAddress> addresses;
    friend bool operator==(const Assignment&, const Assignment&) = default;
};

// Distinct addresses, not Services. Totals saturate at 2^63 - 1.
struct FamilyCount {
    std::uint64_t total = 0;
    std::uint64_t assigned = 0;
    [[nodiscard]] std::uint64_t available() const;
    friend bool operator==(const FamilyCount&, const FamilyCount&) = default;
};
struct PoolCount {
    std::string pool;
    FamilyCount v4;
    FamilyCount v6;
    friend bool operator==(const PoolCount&, const PoolCount&) = default;
};

class Allocator {
public:
    // Replaces the pools. Nobody loses an address here: what is held stays held, under the name of
    // the pool it lies in now. The owner then re-adopts each one, which says whether it may stay.
    void set_pools(std::shared_ptr<const config::Config> config);

    // Gives a Service that holds nothing its addresses.
    Verdict<Assignment> allocate(const Request& request);
    // Records addresses the Service already has (after a restart), or checks again those it holds
    // (after a change of the Service or the pools). A refusal changes nothing.
    Verdict<Assignment> adopt(const Request& request, std::span<const net::IpAddress> addresses);
    // PreferDualStack: adds the missing family to the one address held, from the same pool.
    Verdict<Assignment> extend(const Request& request);
    // True when it held something.
    bool release(const kube::ObjectKey& service);

    // Null when it holds nothing; valid until the next change.
    [[nodiscard]] const Assignment* find(const kube::ObjectKey& service) const;
    // The sharing it holds its addresses under; null like find().
    [[nodiscard]] const Sharing* sharing_of(const kube::ObjectKey& service) const;
    [[nodiscard]] std::vector<PoolCount> counts() const;  // by pool name
    [[nodiscard]] std::size_t size() const { return held_.size(); }

private:
    struct Held {
        kube::ObjectKey service;
        Assignment assignment;
        Sharing sharing;
    };
    // Not noexcept: the standard library then keeps each hash beside its entry, and a look-up in a
    // large table need not hash the neighbours, each a cache miss away.
    struct KeyHash {
        std::size_t operator()(const kube::ObjectKey& key) const;
    };
    struct AddressHash {
        std::size_t operator()(const net::IpAddress& address) const {
            return std::hash<net::IpAddress>()(address);
        }
    };
    struct Space {
        FreeSpace free;
        std::map<std::string, std::set<Position>> shared;  // by sharing key: what it occupies
        std::uint64_t assigned = 0;
    };
    struct PoolState {
        const config::Pool* pool;  // inside config_
        std::array<Space, 2> spaces;
    };
    using Addresses = std::vector<net::IpAddress>;

    [[nodiscard]] static Space& space(PoolState& pool, net::Family family) {
        return pool.spaces[static_cast<std::size_t>(family)];
    }
    [[nodiscard]] PoolState* find_pool(const std::string& name);
    [[nodiscard]] PoolState* pool_of(const net::IpAddress& address);

    Verdict<Assignment> choose(const Request& request);
    Verdict<Assignment> choose_automatic(const Request& request);
    Verdict<Assignment> choose_named(const Request& request);
    std::optional<Assignment> choose_among(
        const Request& request, std::span<PoolState* const> pools
    );
    std::optional<Addresses> choose_in(
        const Request& request, PoolState& pool, std::span<const net::Family> families
    );
    std::optional<net::IpAddress> lowest_for(
        const Request& request, PoolState& pool, net::Family family
    );
    // The pool that holds all of them, if the request may have them.
    Verdict<Assignment> check(const Request& request, std::span<const net::IpAddress> addresses);
    [[nodiscard]] std::optional<Refusal> why_not(
        const Request& request, const net::IpAddress& address
    ) const;
    void hold(const Request& request, Assignment assignment);
    void occupy(const Held& held);
    void vacate(const Held& held);

    std::shared_ptr<const config::Config> config_;
    std::vector<PoolState> pools_;     // as in config_, by name
    std::vector<PoolState*> pinned_;   // autoAssign with serviceAllocation, in order of preference
    std::vector<PoolState*> general_;  // autoAssign without, by name
    std::unordered_map<kube::ObjectKey, Held, KeyHash> held_;
    std::unordered_map<net::IpAddress, std::vector<const Held*>, AddressHash>
        holders_;  // into held_
};

}  // namespace steelyard::ipam
