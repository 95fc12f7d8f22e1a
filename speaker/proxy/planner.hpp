#pragma once

#include "speaker/proxy/marks.hpp"
#include "speaker/proxy/plan.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <vector>

namespace steelyard::proxy {

// plan() made incremental: holds the latest objects, replans only Services marked dirty, and says
// which tables changed. Always equal to plan() of the same objects (tested). A null reference means
// the object is gone.
class Planner {
public:
    explicit Planner(Context context);

    void set_service(const kube::ObjectKey& key, ServiceRef service);
    void set_slice(const kube::ObjectKey& key, SliceRef slice);
    // A node that is or is no longer unreachable makes the Services with endpoints there dirty, a
    // zone of another node those with weights; what is new of this node or the settings can touch
    // any Service.
    void set_context(Context context);
    void mark_dirty(const kube::ObjectKey& service);

    [[nodiscard]] const Context& context() const { return context_; }
    // What became of the tables since the last call; the first time, all of them.
    [[nodiscard]] Changes take_changes();
    // The whole, as plan() gives it; the same pointer while nothing changes. Costs a copy of the
    // map: for tests and for those who look at everything anyway.
    [[nodiscard]] std::shared_ptr<const Tables> tables();
    // How many Services have been planned so far.
    [[nodiscard]] std::size_t planned() const { return planned_; }

private:
    struct Entry {
        ServiceRef service;                           // null: slices come before their Service
        std::vector<SliceRef> slices;                 // by slice name, as in plan()
        std::shared_ptr<const ServiceTables> tables;  // null: not proxied
    };
    struct ByKey {
        using is_transparent = void;
        bool operator()(const SliceRef& a, const SliceRef& b) const {
            return a->meta.key < b->meta.key;
        }
        bool operator()(const SliceRef& a, const kube::ObjectKey& b) const {
            return a->meta.key < b;
        }
        bool operator()(const kube::ObjectKey& a, const SliceRef& b) const {
            return a < b->meta.key;
        }
    };

    void forget_slice(const kube::ObjectKey& key);
    void drop_if_empty(const kube::ObjectKey& key);
    void mark_all_dirty();
    void mark_weighted_dirty();
    void mark_dirty_on(const std::set<std::string, std::less<>>& nodes);
    void replan_dirty();
    [[nodiscard]] std::shared_ptr<const ServiceTables> replan(
        const kube::ObjectKey& key, const Entry& entry
    );

    Context context_;
    MarkAllocator marks_;
    std::map<kube::ObjectKey, Entry> entries_;
    std::set<SliceRef, ByKey> slices_;
    std::set<kube::ObjectKey> dirty_;
    std::set<kube::ObjectKey> changed_;    // since take_changes()
    std::shared_ptr<const Tables> whole_;  // null: to be made anew
    std::size_t planned_ = 0;
};

}  // namespace steelyard::proxy
