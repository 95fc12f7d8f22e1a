#pragma once

#include "common/base/time.hpp"
#include "common/kube/model/meta.hpp"
#include "controller/ipam/want.hpp"

#include <compare>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

// Services without an address (or without their second one), queued by what they wait for, so that
// a release wakes the oldest who can use it and nobody else; private to this room.
namespace steelyard::controller_plan {

// Who came first. The UID decides between Services of the same second.
struct Age {
    std::optional<WallTime> created;
    std::string uid;
    kube::ObjectKey service;
    friend auto operator<=>(const Age&, const Age&) = default;
};
[[nodiscard]] Age age_of(const kube::ObjectMeta& meta);

class Waiters {
public:
    // Replaces what the Service waited for; without wants it waits for a change of its own.
    void set(const Age& age, std::vector<ipam::Want> wants);
    void erase(const kube::ObjectKey& service);
    void clear();
    [[nodiscard]] std::size_t size() const { return waiting_.size(); }

    // Everybody who wants one of these is to be called, oldest first.
    void open(const std::vector<ipam::Want>& wants);
    struct Call {
        Age age;
        ipam::Want want;
    };
    // The oldest to be called whose want is still open; it stays first until called().
    template <class IsOpen>
    [[nodiscard]] const Call* next(IsOpen&& is_open) {
        while (!calls_.empty()) {
            const Call& call = *calls_.begin();
            if (is_waiting(call) && is_open(call.want)) {
                return &call;
            }
            drop_first();
        }
        return nullptr;
    }
    // The first was called; now the next one in its queue may be.
    void called();
    // No use in calling more of those who want this.
    void close(const ipam::Want& want);

private:
    struct Waiting {
        Age age;
        std::vector<ipam::Want> wants;
    };
    struct Sooner {
        bool operator()(const Call& a, const Call& b) const {
            const auto order = a.age <=> b.age;
            return order != 0 ? order < 0 : a.want < b.want;
        }
    };
    [[nodiscard]] bool is_waiting(const Call& call) const;
    // When its want is not open any more nobody behind needs to be called, else the next one.
    void drop_first();
    void call(const Age& age, const ipam::Want& want);

    std::map<kube::ObjectKey, Waiting> waiting_;
    std::map<ipam::Want, std::set<Age>> queues_;
    std::set<Call, Sooner> calls_;       // at most one of each queue
    std::map<ipam::Want, Age> next_up_;  // the same, by queue
};

}  // namespace steelyard::controller_plan
