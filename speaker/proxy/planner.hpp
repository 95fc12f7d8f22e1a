#pragma once

#include "speaker/proxy/plan.hpp"

#include <memory>
#include <set>

namespace steelyard::proxy {

// plan() made incremental: holds the latest objects, replans only Services marked dirty, and shares
// everything else with the previous Tables. Always equal to plan() of the same objects (tested). A
// null reference means the object is gone.
class Planner {
public:
    explicit Planner(Context context);

    void set_service(const kube::ObjectKey& key, ServiceRef service);
    void set_slice(const kube::ObjectKey& key, SliceRef slice);
    // A changed node address, mode or reachability can touch any Service: all become dirty.
    void set_context(Context context);
    void mark_dirty(const kube::ObjectKey& service);

    [[nodiscard]] const Context& context() const { return context_; }
    // The current tables; the same pointer as last time when nothing changed.
    [[nodiscard]] std::shared_ptr<const Tables> tables();

private:
    [[nodiscard]] std::shared_ptr<const ServiceTables> replan(const kube::ObjectKey& key) const;

    Context context_;
    std::map<kube::ObjectKey, ServiceRef> services_;
    std::map<kube::ObjectKey, SliceRef> slices_;
    // Slices by the Service they belong to, ordered by slice name as in plan().
    std::map<kube::ObjectKey, std::map<kube::ObjectKey, SliceRef>> slices_of_;
    std::set<kube::ObjectKey> dirty_;
    std::shared_ptr<const Tables> tables_;
};

}  // namespace steelyard::proxy
