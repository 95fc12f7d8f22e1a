#pragma once

#include "common/base/time.hpp"
#include "common/net/ip.hpp"
#include "speaker/health/response.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

// Whether the node's service proxy keeps up, as /healthz and /livez on port 10256 tell it: a family
// is unhealthy once a change has waited for `patience` (kube-proxy: 2 * syncPeriod) without having
// been written. A proxy that has nothing to write is healthy, one that has just started too.
// /healthz also says no when the node is about to go away, so that load balancers take it out.
namespace steelyard::health {

// What decides whether load balancers may send this node traffic: its own Node object.
struct NodeFacts {
    bool known = false;     // the API server has such a Node
    bool deleting = false;  // metadata.deletionTimestamp is set
    std::vector<std::string> taint_keys;
    friend bool operator==(const NodeFacts&, const NodeFacts&) = default;
};

// The taint that the cluster autoscaler puts on a node it is going to remove.
inline constexpr const char* kToBeDeletedTaint = "ToBeDeletedByClusterAutoscaler";

[[nodiscard]] bool is_eligible(const NodeFacts& node);

// One moment on both clocks: the steady one decides, the other is shown.
struct Moment {
    Instant now;
    WallTime wall;
};

class ProxyHealth {
public:
    ProxyHealth(std::vector<net::Family> families, Duration patience);

    // A change came in that is not in the kernel yet.
    void on_queued(net::Family family, Instant now);
    // A write began that takes in everything queued so far. Without it on_synced() stands for all
    // that is queued by then, which is what kube-proxy takes it for.
    void on_started(net::Family family);
    void on_synced(net::Family family, Instant now);
    // The write that began did not come through: what it took in still waits, since it was queued.
    void on_failed(net::Family family);
    // Ineligible until the first call.
    void set_node(const NodeFacts& node) { eligible_ = is_eligible(node); }

    [[nodiscard]] bool eligible() const { return eligible_; }
    // Without regard to the node: what health-check node ports and /livez go by.
    [[nodiscard]] bool healthy(Instant now) const;

    [[nodiscard]] Response healthz(const Moment& at) const;
    [[nodiscard]] Response livez(const Moment& at) const;

private:
    struct State {
        std::optional<Instant> queued;   // the oldest change no write has taken in
        std::optional<Instant> writing;  // the oldest change the write under way takes in
        bool started = false;
        std::optional<Instant> synced;
    };

    [[nodiscard]] bool healthy(const State& state, Instant now) const;
    [[nodiscard]] Response respond(const Moment& at, const std::optional<bool>& eligible) const;

    Duration patience_;
    std::map<net::Family, State> families_;
    bool eligible_ = false;
};

}  // namespace steelyard::health
