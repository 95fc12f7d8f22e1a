#include "speaker/plan/l2_status.hpp"

#include "speaker/plan/status_diff.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace steelyard::speaker_plan {
namespace {

void sort_unique(std::vector<std::string>& names) {
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
}

// Services with the nodes that own one of their addresses. Asked only about objects of other nodes
// that concern a Service announced here, which are few, so it is made when first needed.
class Owners {
public:
    explicit Owners(const Announcements& plan) : plan_(plan) {}

    bool contains(const kube::ObjectKey& service, std::string_view node) {
        if (!known_) {
            known_.emplace();
            for (const auto& [address, planned] : plan_.addresses) {
                for (const kube::ObjectKey& holder : planned.services) {
                    if (planned.owner) {
                        known_->emplace(holder, *planned.owner);
                    }
                }
            }
        }
        return known_->contains({service, node});
    }

private:
    const Announcements& plan_;
    std::optional<std::set<std::pair<kube::ObjectKey, std::string_view>>> known_;
};

bool has_status_of(const kube::ServiceL2Status& found, const kube::ServiceL2Status& wanted) {
    return found.node == wanted.node && found.service == wanted.service &&
           found.interfaces == wanted.interfaces && found.conflicts == wanted.conflicts;
}

}  // namespace

L2Statuses desired_l2_statuses(
    const StatusScope& scope, const Announcements& plan, const std::set<Conflict>& conflicts
) {
    L2Statuses by_service;
    std::set<kube::ObjectKey> unrestricted;
    for (const auto& [address, planned] : plan.addresses) {
        if (!planned.announced_here) {
            continue;
        }
        for (const kube::ObjectKey& service : planned.services) {
            if (!planned.carries(service)) {
                continue;
            }
            auto entry = by_service.find(service);
            if (entry == by_service.end()) {
                entry =
                    by_service
                        .emplace(
                            service, status_of_service<kube::ServiceL2Status>("l2-", scope, service)
                        )
                        .first;
            }
            kube::ServiceL2Status& status = entry->second;
            if (planned.every_interface) {
                unrestricted.insert(service);
            }
            status.interfaces.insert(
                status.interfaces.end(), planned.interfaces.begin(), planned.interfaces.end()
            );
            for (auto conflict = conflicts.lower_bound({address, {}});
                 conflict != conflicts.end() && conflict->ip == address;
                 ++conflict) {
                status.conflicts.push_back({net::to_string(address), net::to_string(conflict->mac)}
                );
            }
        }
    }
    L2Statuses desired;
    for (auto& [service, status] : by_service) {
        if (unrestricted.contains(service)) {
            status.interfaces.clear();
        }
        sort_unique(status.interfaces);
        kube::ObjectKey key = status.meta.key;
        desired.emplace(std::move(key), std::move(status));
    }
    return desired;
}

L2StatusChanges diff_l2_statuses(
    const StatusScope& scope,
    const Announcements& plan,
    const L2Statuses& desired,
    const ObservedL2Statuses& observed
) {
    Owners owners(plan);
    return diff_statuses(scope, desired, observed, has_status_of, [&](const auto& subject) {
        return !owners.contains(subject.about, subject.node);
    });
}

}  // namespace steelyard::speaker_plan
