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
    Planner(const Planner&) = delete;
    Planner& operator=(const Planner&) = delete;
    ~Planner() = default;

    void set_service(const kube::ObjectKey& key, ServiceRef service);
    void set_slice(const kube::ObjectKey& key, SliceRef slice);
    // A node that is or is no longer unreachable makes the Services with endpoints there dirty, a
    // zone of another node those with weights; what is new of this node or the settings can touch
    // any Service.
    void set_context(Context context);

    [[nodiscard]] const Context& context() const { return context_; }
    // What became of the tables since the last call; the first time, all of them.
    [[nodiscard]] Changes take_changes();
    // How many Services have been planned so far.
    [[nodiscard]] std::size_t planned() const { return planned_; }
    // How many have tables, as of the last take_changes().
    [[nodiscard]] std::size_t proxied() const { return proxied_; }

private:
    struct Entry {
        ServiceRef service;                           // null: slices come before their Service
        std::vector<SliceRef> slices;                 // by slice name, as in plan()
        std::shared_ptr<const ServiceTables> tables;  // null: not proxied
        bool dirty = false;                           // is in dirty_
    };
    // By Service; what belongs to none has the key with empty names.
    using Entries = std::map<kube::ObjectKey, Entry>;
    using Record = Entries::value_type;
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

    [[nodiscard]] Record& record_of(const kube::EndpointSlice& slice);
    void mark_dirty(Record& record);
    void mark_all_dirty();
    void mark_weighted_dirty();
    void mark_dirty_on(const std::set<std::string, std::less<>>& nodes);
    void forget_slice(const kube::ObjectKey& key);
    void drop_if_empty(const Record& record);
    [[nodiscard]] std::shared_ptr<const ServiceTables> replan(const Record& record);

    Context context_;
    MarkAllocator marks_;
    Entries entries_;
    std::set<SliceRef, ByKey> slices_;
    std::vector<Record*> dirty_;  // of entries_, which keeps what is dirty
    std::size_t planned_ = 0;
    std::size_t proxied_ = 0;
};

}  // namespace steelyard::proxy
