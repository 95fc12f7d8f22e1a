#pragma once

#include "common/config/config.hpp"
#include "common/kube/model/core.hpp"
#include "common/kube/model/steelyard.hpp"
#include "controller/ipam/allocator.hpp"

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

// The Event reasons of MetalLB's controller.
inline constexpr std::string_view kIpAllocated = "IPAllocated";
inline constexpr std::string_view kClearAssignment = "ClearAssignment";
inline constexpr std::string_view kAdditionalAssignFailed = "AdditionalAssignFailed";
inline constexpr std::string_view kAllocationFailed = "AllocationFailed";
inline constexpr std::string_view kLoadBalancerFailed = "LoadBalancerFailed";
inline constexpr std::string_view kDeprecatedAnnotation = "deprecatedAnnotation";

struct Options {
    std::string load_balancer_class;    // "": Services without a class; else only that class
    std::string ns = "metallb-system";  // where AddressReservations are made
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

// What has to be done to an AddressReservation object. Create: metadata.name, labels and spec.
// Status: its status becomes that of `object`. Delete: the object with that name and uid.
struct ReservationChange {
    enum class Kind : std::uint8_t { Create, Status, Delete };
    Kind kind = Kind::Create;
    kube::AddressReservation object;
    friend bool operator==(const ReservationChange&, const ReservationChange&) = default;
};

struct Plan {
    // The Services whose standing has to be written, or about which there is something to say.
    std::vector<Outcome> outcomes;
    std::vector<ReservationChange> reservations;
    std::optional<WallTime> next;  // plan again then, at the latest: a reservation expires
};

class Planner {
public:
    explicit Planner(Options options) : options_(std::move(options)) {}

    void on_config(std::shared_ptr<const config::Config> config);
    void on_namespace(const std::string& name, kube::Labels labels);
    void on_namespace_deleted(const std::string& name);
    void on_service(std::shared_ptr<const kube::Service> service);
    void on_service_deleted(const kube::ObjectKey& key);
    // Every Service and Namespace there is has been reported: plan() may decide from now on.
    void on_synced() { synced_ = true; }

    // Nothing until on_synced() and the first on_config().
    [[nodiscard]] Plan plan(WallTime now);

    [[nodiscard]] std::vector<ipam::PoolCount> counts() const { return allocator_.counts(); }

private:
    struct Entry {
        std::shared_ptr<const kube::Service> service;
        Standing last;  // what was decided last; at first what the object shows
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
    void take(const std::set<kube::ObjectKey>& keys, std::vector<Work>& round);
    static void sort_by_age(std::vector<Work>& round);
    void review(Work& work);                       // phase 1
    void review_foreign(Work& work, Claim claim);  // not ours, or no longer
    void review_current(Work& work, const ipam::Request& request);
    void review_invalid(Work& work);  // keeps what it has
    void fulfil(Work& work);          // phase 2
    void extend(Work& work);
    void conclude(Work& work, std::vector<Outcome>& outcomes);
    void release(const kube::ObjectKey& key);

    Options options_;
    bool synced_ = false;
    bool freed_ = false;              // something a waiting Service may want became free
    bool namespaces_matter_ = false;  // a pool selects Namespaces by label
    std::shared_ptr<const config::Config> config_;
    ipam::Allocator allocator_;
    std::map<std::string, kube::Labels> namespaces_;
    std::map<kube::ObjectKey, Entry> services_;
    std::set<kube::ObjectKey> dirty_;
    std::set<kube::ObjectKey> waiting_;  // would take an address, or a second one
};

}  // namespace steelyard::controller_plan
