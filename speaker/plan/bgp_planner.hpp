#pragma once

#include "speaker/plan/bgp.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// bgp_plan() made incremental, for the time from a Service change to its UPDATE: it holds the
// latest objects, replans only the Services that something touched, and yields what became
// different. Always equal to bgp_plan() of the same objects (tested).
namespace steelyard::speaker_plan {

// What concerns all Services. A change that makes a difference to this node replans everything.
struct BgpContext {
    std::string node_name;
    std::string load_balancer_class;
    bool ignore_exclude_label = false;
    bool draining = false;
    std::shared_ptr<const config::Config> config;  // null until one was valid
    std::shared_ptr<const kube::Node> node;        // this one; null: not seen yet
};

class BgpPlanner {
public:
    BgpPlanner();
    BgpPlanner(BgpPlanner&&) noexcept;
    BgpPlanner& operator=(BgpPlanner&&) noexcept;
    ~BgpPlanner();

    void set_context(BgpContext context);
    // Null: the object is gone.
    void set_service(const kube::ObjectKey& key, std::shared_ptr<const kube::Service> service);
    void set_slice(const kube::ObjectKey& key, std::shared_ptr<const kube::EndpointSlice> slice);
    // What this node's kernel forwards, sorted; absent: everything. Until it is called: everything.
    void set_servable(std::optional<std::vector<net::IpAddress>> addresses);

    // All of the above by comparing with the last time: an object that is the same pointer is
    // unchanged. Costs a walk over the snapshot; who knows what changed calls the setters.
    void sync(const Snapshot& snapshot);

    // Plans what is due. Nothing was due: empty, with the last sequence.
    [[nodiscard]] BgpChanges update();
    // As of the last update(); valid until the next.
    [[nodiscard]] const BgpPlan& plan() const;

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace steelyard::speaker_plan
