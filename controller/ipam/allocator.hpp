#pragma once

#include "common/config/config.hpp"
#include "controller/ipam/claims.hpp"
#include "controller/ipam/free_space.hpp"
#include "controller/ipam/holdings.hpp"
#include "controller/ipam/quotas.hpp"
#include "controller/ipam/request.hpp"
#include "controller/ipam/want.hpp"

#include <array>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

// Who holds which external address. Deterministic: the same calls give the same answers. Candidate
// pools are the pinned ones that admit the Service (priority, then name), then the unpinned ones by
// name; inside a pool the lowest address wins that is free or can be shared. What a reservation
// keeps for the Service comes before all that. A Service's addresses always come from one pool. The
// table lives in memory only: after a restart the owner adopts every address it finds in Service
// status before it allocates the first new one.
namespace steelyard::ipam {

struct Assignment {
    std::string pool;  // "" after set_pools() left the addresses outside every pool
    std::vector<net::IpAddress> addresses;
    friend bool operator==(const Assignment&, const Assignment&) = default;
};

// Distinct addresses, not Services. Excluded ones count nowhere. Totals saturate at 2^63 - 1.
struct FamilyCount {
    std::uint64_t total = 0;
    std::uint64_t assigned = 0;
    std::uint64_t reserved = 0;  // kept by a reservation while nobody holds it
    [[nodiscard]] std::uint64_t available() const;
    friend bool operator==(const FamilyCount&, const FamilyCount&) = default;
};
struct PoolCount {
    std::string pool;
    FamilyCount v4;
    FamilyCount v6;
    friend bool operator==(const PoolCount&, const PoolCount&) = default;
};

// What one pool says to a request: the addresses it would give, or why it gives none.
struct PoolAnswer {
    std::string pool;
    std::vector<net::IpAddress> addresses;
    std::optional<Refusal> refusal;
    friend bool operator==(const PoolAnswer&, const PoolAnswer&) = default;
};

class Allocator {
public:
    // Replaces the pools and policies. Nobody loses an address here: what is held stays held, under
    // the name of the pool it lies in now. The owner then re-adopts each one, which says whether it
    // may stay.
    void set_pools(std::shared_ptr<const config::Config> config);

    // From now on only the claim's Service gets its addresses. Who holds one already keeps it.
    void reserve(Claim claim);  // replaces what the same reservation claimed before
    void unreserve(const kube::ObjectKey& reservation);

    // Gives a Service that holds nothing its addresses.
    Verdict<Assignment> allocate(const Request& request);
    // Records addresses the Service already has (after a restart), or checks again those it holds
    // (after a change of the Service or the pools). A refusal changes nothing. Quotas and
    // reservations refuse nobody what he has.
    Verdict<Assignment> adopt(const Request& request, std::span<const net::IpAddress> addresses);
    // PreferDualStack: adds the missing family to the one address held, from the same pool.
    Verdict<Assignment> extend(const Request& request);
    // True when it held something.
    bool release(const kube::ObjectKey& service);

    [[nodiscard]] std::optional<Assignment> find(const kube::ObjectKey& service) const;
    [[nodiscard]] std::vector<kube::ObjectKey> holders(const net::IpAddress& address) const;
    [[nodiscard]] std::vector<PoolCount> counts() const;  // by pool name
    [[nodiscard]] std::size_t size() const { return holdings_.size(); }

    // What could end the refusal that allocate() or extend() gave, other than a change of the
    // Service, of its Namespace or of the pools.
    [[nodiscard]] std::vector<Want> wants(const Request& request, const Refusal& refusal) const;
    // What became available since the last call. Wants are valid until set_pools().
    [[nodiscard]] std::vector<Want> take_openings() { return std::exchange(openings_, {}); }
    // Whether it still is; those who want it are served in turn until it is not.
    [[nodiscard]] bool is_open(const Want& want) const;
    // Whether nobody of the request's namespace gets a fresh address under the policy of a
    // Want::Kind::Quota: asked with the request of one of those who want it.
    [[nodiscard]] bool quota_is_spent(const Request& request, const Want& want) const;

    // Every pool's answer, in the order in which the request asks them, by the rules of allocate();
    // as if the Service held nothing.
    [[nodiscard]] std::vector<PoolAnswer> ask_every_pool(const Request& request) const;

private:
    struct Space {
        FreeSpace free;
        std::map<std::string, std::set<Position>> shared;  // by sharing key: what it occupies
        std::uint64_t assigned = 0;
        std::uint64_t reserved = 0;
    };
    struct PoolState {
        const config::Pool* pool;  // inside config_
        std::uint32_t index;
        std::array<Space, 2> spaces;
        [[nodiscard]] Space& space(net::Family family) {
            return spaces.at(static_cast<std::size_t>(family));
        }
        [[nodiscard]] const Space& space(net::Family family) const {
            return spaces.at(static_cast<std::size_t>(family));
        }
        // False for what avoidBuggyIPs or a policy's exclude list leaves out.
        [[nodiscard]] bool hands_out(const net::IpAddress& address) const;
    };
    struct Place {
        std::uint32_t pool;
        Position position;
    };
    struct Choice {
        std::uint32_t pool;
        Addresses addresses;
    };
    // Fresh addresses have to respect quotas and reservations, those a Service has already do not.
    enum class Grip : std::uint8_t { Fresh, Held };
    using Pools = std::span<const PoolState* const>;
    using Families = std::span<const net::Family>;

    [[nodiscard]] const PoolState* find_pool(const std::string& name) const;
    [[nodiscard]] std::optional<Place> locate(const net::IpAddress& address) const;
    [[nodiscard]] Assignment assignment_of(const Choice& choice) const;

    // choose.cpp: decisions, which change nothing.
    [[nodiscard]] Verdict<Choice> choose(const Request& request) const;
    [[nodiscard]] Verdict<Choice> choose_named(const Request& request) const;
    [[nodiscard]] Verdict<Choice> choose_automatic(const Request& request) const;
    [[nodiscard]] std::vector<net::IpAddress> kept_for(const Request& request) const;
    [[nodiscard]] std::optional<Choice> choose_kept(const Request& request) const;
    [[nodiscard]] std::optional<Choice> choose_among(const Request& request, Pools pools) const;
    [[nodiscard]] std::optional<Addresses> offer(
        const Request& request,
        const PoolState& pool,
        Families families,
        std::span<const net::IpAddress> kept = {}
    ) const;
    [[nodiscard]] std::optional<net::IpAddress> lowest_for(
        const Request& request, const PoolState& pool, net::Family family, bool within_quota
    ) const;
    [[nodiscard]] std::vector<const PoolState*> candidates(const Request& request) const;
    // Why the pool is not even asked.
    [[nodiscard]] std::optional<Reason> barred(const Request& request, const PoolState& pool) const;
    [[nodiscard]] PoolAnswer ask(const Request& request, const PoolState& pool) const;
    [[nodiscard]] Refusal nothing_in(const Request& request, Pools pools, Families families) const;
    // The pool that holds all of them, if the request may have them.
    [[nodiscard]] Verdict<Choice> judge(
        const Request& request, std::span<const net::IpAddress> addresses, Grip grip
    ) const;
    [[nodiscard]] std::optional<Refusal> why_not(
        const Request& request, const net::IpAddress& address, Grip grip
    ) const;
    [[nodiscard]] std::optional<Refusal> over_quota(
        const Request& request, const PoolState& pool, std::span<const net::IpAddress> addresses
    ) const;
    [[nodiscard]] bool held_in(const std::string& ns, const net::IpAddress& address) const;
    void want_room_beside(
        const Request& request, std::span<const net::IpAddress> kept, std::vector<Want>& wants
    ) const;
    void want_room(
        const Request& request, const PoolState& pool, Families families, std::vector<Want>& wants
    ) const;

    // allocator.cpp: bookkeeping.
    void hold(const Request& request, const Choice& choice);
    void share_anew(Holding& holding, const Sharing& sharing);
    void occupy(const Holding& holding);
    void vacate(const Holding& holding);  // and forgets it
    void account_held(const net::IpAddress& address);
    void account_kept(const net::IpAddress& address);
    void open_room(const net::IpAddress& address, const Place& place);
    // A holder came, went or changed its sharing.
    void open_address(
        const net::IpAddress& address, const std::optional<Place>& place, const std::string& key
    );

    std::shared_ptr<const config::Config> config_;
    std::vector<PoolState> pools_;           // as in config_, by name
    std::vector<const PoolState*> pinned_;   // autoAssign with serviceAllocation, by preference
    std::vector<const PoolState*> general_;  // autoAssign without, by name
    struct Spread {
        Span span;
        std::uint32_t pool;
    };
    std::array<std::vector<Spread>, 2> spread_;  // every range of every pool, by family, sorted
    Holdings holdings_;
    Claims claims_;
    Quotas quotas_;
    std::vector<Want> openings_;
};

}  // namespace steelyard::ipam
