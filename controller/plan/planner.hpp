#pragma once

#include "common/config/config.hpp"
#include "common/kube/model/core.hpp"
#include "common/kube/model/steelyard.hpp"
#include "controller/ipam/allocator.hpp"
#include "controller/plan/explanation.hpp"
#include "controller/plan/reservations.hpp"
#include "controller/plan/waiters.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// Which addresses every Service should have, and why. Inputs only mark Services as dirty; plan()
// decides them, in two phases: first every address somebody already has is adopted (or cleared),
// oldest Service first, then the rest is allocated. So neither a restart nor a change of pools can
// give a waiting Service an address that belongs to another. What plan() returns is what has to be
// written: feeding its own output back yields nothing. Pure: no clock, no I/O.
namespace steelyard::controller_plan {

inline constexpr std::string_view kConditionType = "steelyard.io/AddressAssigned";

// Values of ipMode.
inline constexpr const char* kVip = "VIP";
inline constexpr const char* kProxy = "Proxy";

// The Event reasons of MetalLB's controller.
inline constexpr std::string_view kIpAllocated = "IPAllocated";
inline constexpr std::string_view kClearAssignment = "ClearAssignment";
inline constexpr std::string_view kAdditionalAssignFailed = "AdditionalAssignFailed";
inline constexpr std::string_view kAllocationFailed = "AllocationFailed";
inline constexpr std::string_view kLoadBalancerFailed = "LoadBalancerFailed";
inline constexpr std::string_view kDeprecatedAnnotation = "deprecatedAnnotation";
inline constexpr std::string_view kNotEnoughClusterIps = "not enough clusterips";
inline constexpr std::string_view kUnclearClusterIps = "noclusterIPsIPFamily";
inline constexpr std::string_view kUnclearAddresses = "nolbIPsIPFamily";

// What the addresses' ipMode shall be (KEP-1860): Vip lets kube-proxy take their traffic on every
// node, Proxy keeps it off them, for the node service proxy that serves them beside it.
enum class IpMode : std::uint8_t { Keep, Vip, Proxy };

struct Options {
    std::string load_balancer_class{};  // "": Services without a class; else only that class
    std::string ns = "metallb-system";  // where AddressReservations are made
    IpMode ip_mode = IpMode::Keep;      // Keep: as somebody else has set it, Vip when nobody has
};

struct Event {
    bool warning = false;
    std::string reason;
    std::string message;
    friend bool operator==(const Event&, const Event&) = default;
};

// What a Service should show: addresses in the order of its status, the pool they come from (the
// annotation metallb.io/ip-allocated-from-pool, "": none) and the condition (absent: none).
struct Standing {
    std::vector<net::IpAddress> addresses;
    std::string pool;
    std::optional<kube::ServiceCondition> condition;
    std::string ip_mode{};  // of all addresses: "" is VIP, the default; "Proxy"; "mixed"
    friend bool operator==(const Standing&, const Standing&) = default;
};
// What it shows now. Entries of other writers (hostnames) are not part of it.
[[nodiscard]] Standing standing_of(const kube::Service& service);

struct Outcome {
    kube::ObjectKey service;
    std::string uid;
    Standing standing;
    bool write = false;  // differs from what the object shows, or from what was decided before
    std::vector<Event> events;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

struct Plan {
    // The Services whose standing has to be written, or about which there is something to say.
    std::vector<Outcome> outcomes;
    std::vector<ReservationChange> reservations;
    std::optional<WallTime> next;  // plan again then, at the latest: a reservation expires
    std::size_t decided = 0;       // Services looked at: what this plan cost
};

class Planner {
public:
    explicit Planner(Options options)
        : options_(std::move(options)), reservations_(options_.ns, allocator_) {}
    Planner(const Planner&) = delete;
    Planner& operator=(const Planner&) = delete;

    void on_config(std::shared_ptr<const config::Config> config);
    void on_namespace(const std::string& name, kube::Labels labels);
    void on_namespace_deleted(const std::string& name);
    void on_service(std::shared_ptr<const kube::Service> service);
    void on_service_deleted(const kube::ObjectKey& key);
    // Of our own namespace only: others do not count.
    void on_reservation(std::shared_ptr<const kube::AddressReservation> reservation);
    void on_reservation_deleted(const kube::ObjectKey& key);
    // Every Service, Namespace and AddressReservation there is has been reported: plan() may decide
    // from now on.
    void on_synced() { synced_ = true; }

    // Nothing until on_synced() and the first on_config().
    [[nodiscard]] Plan plan(WallTime now);

    // What the Service asks for, and what every pool says to that, by the functions plan() uses.
    [[nodiscard]] Explanation explain(const kube::ObjectKey& key) const;
    [[nodiscard]] std::vector<ipam::PoolCount> counts() const { return allocator_.counts(); }

private:
    struct Entry {
        std::shared_ptr<const kube::Service> service;
        // What was decided last; absent when it is what the object shows.
        std::unique_ptr<const Standing> decided;
        // What somebody else wrote there since the last review.
        bool shown_anew = false;
        // Addresses decided and not seen in the object yet, oldest first: what is ours when a late
        // watch shows it.
        std::vector<std::vector<net::IpAddress>> sent;
    };
    // One Service on its way through plan().
    struct Work {
        Entry* entry;
        std::optional<ipam::Request> request;  // absent: nothing is to be allocated
        std::optional<ipam::Refusal> refusal;
        Standing standing;
        std::vector<Event> events;
        bool leave_alone = false;
    };
    enum class Claim { Ours, OtherClass, NotLoadBalancer };

    [[nodiscard]] Claim claim(const kube::Service& service) const;
    [[nodiscard]] bool awaits_namespace(const kube::Service& service) const;
    [[nodiscard]] const kube::Labels& labels_of(const std::string& ns) const;
    [[nodiscard]] static Standing last_of(const Entry& entry);
    [[nodiscard]] static bool is_echo(Entry& entry, const std::vector<net::IpAddress>& shown);
    static void remember_sent(Entry& entry, const std::vector<net::IpAddress>& addresses);
    void mark(const std::vector<kube::ObjectKey>& services);
    // Phase 1 for all that is dirty; what is settled by that is concluded at once.
    [[nodiscard]] std::vector<Work> review_dirty(Plan& plan);
    // Phase 2: those left of the first, and those who waited for what became free, oldest first.
    void serve(std::vector<Work> round, Plan& plan);
    void call(const Waiters::Call& call, Plan& plan);
    void review(Work& work);
    void review_foreign(Work& work, Claim claim);  // not ours, or no longer
    void review_current(Work& work, const ipam::Request& request);
    void review_invalid(Work& work);  // keeps what it has
    [[nodiscard]] ipam::Verdict<ipam::Assignment> keep(
        const ipam::Request& request, const std::vector<net::IpAddress>& current
    );
    // Takes what the status shows, from younger ones if need be.
    [[nodiscard]] ipam::Verdict<ipam::Assignment> claim_shown(
        const ipam::Request& request, const std::vector<net::IpAddress>& shown
    );
    void give_back(const kube::ObjectKey& key, const std::vector<net::IpAddress>& addresses);
    void fulfil(Work& work);
    void extend(Work& work);
    void conclude(Work& work, std::vector<Outcome>& outcomes);
    void wait_or_not(const Work& work, bool ours);

    Options options_;
    bool synced_ = false;
    bool namespaces_matter_ = false;  // a pool or a quota selects Namespaces by label
    std::shared_ptr<const config::Config> config_;
    ipam::Allocator allocator_;
    Reservations reservations_;  // uses allocator_
    std::map<std::string, kube::Labels> namespaces_;
    std::map<kube::ObjectKey, Entry> services_;
    std::set<kube::ObjectKey> dirty_;
    Waiters waiters_;
};

}  // namespace steelyard::controller_plan
