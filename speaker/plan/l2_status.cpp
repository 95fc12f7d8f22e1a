#include "speaker/plan/l2_status.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace steelyard::speaker_plan {
namespace {

// FNV-1a, 64 bits: names must stay the same over restarts and versions.
std::uint64_t hash(std::uint64_t value, std::string_view text) {
    constexpr std::uint64_t kPrime = 0x100000001b3U;
    for (const char c : text) {
        value = (value ^ static_cast<std::uint8_t>(c)) * kPrime;
    }
    return value * kPrime;  // as a zero byte would: "ab","c" and "a","bc" differ
}
constexpr std::uint64_t kHashStart = 0xcbf29ce484222325U;

std::string hex(std::uint64_t value) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    constexpr unsigned kBits = 64;
    std::string text;
    for (unsigned shift = kBits; shift > 0; shift -= 4) {
        text += kDigits[(value >> (shift - 4)) & 0xFU];
    }
    return text;
}

std::string object_name(const kube::ObjectKey& service, const std::string& node) {
    return "l2-" + hex(hash(hash(hash(kHashStart, service.ns), service.name), node));
}

kube::ServiceL2Status blank(const L2StatusScope& scope, const kube::ObjectKey& service) {
    kube::ServiceL2Status status;
    status.meta.key = {scope.ns, object_name(service, scope.node_name)};
    status.meta.labels.emplace(kNodeLabel, label_value(scope.node_name));
    status.meta.labels.emplace(kServiceNameLabel, label_value(service.name));
    status.meta.labels.emplace(kServiceNamespaceLabel, label_value(service.ns));
    status.owner = scope.pod;
    status.node = scope.node_name;
    status.service = service;
    return status;
}

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

struct Subject {
    kube::ObjectKey service;
    std::string node;
};

// A new object has its labels before its status, which is written in a second step.
Subject subject_of(const kube::ServiceL2Status& status) {
    const auto label = [&](std::string_view name) {
        const auto found = status.meta.labels.find(name);
        return found == status.meta.labels.end() ? std::string() : found->second;
    };
    if (!status.node.empty() && !status.service.name.empty()) {
        return {status.service, status.node};
    }
    return {{label(kServiceNamespaceLabel), label(kServiceNameLabel)}, label(kNodeLabel)};
}

// Labels that others added stay.
bool has_metadata_of(const kube::ServiceL2Status& found, const kube::ServiceL2Status& wanted) {
    return found.owner == wanted.owner &&
           std::all_of(
               wanted.meta.labels.begin(),
               wanted.meta.labels.end(),
               [&](const auto& label) {
                   const auto there = found.meta.labels.find(label.first);
                   return there != found.meta.labels.end() && there->second == label.second;
               }
           );
}

bool has_status_of(const kube::ServiceL2Status& found, const kube::ServiceL2Status& wanted) {
    return found.node == wanted.node && found.service == wanted.service &&
           found.interfaces == wanted.interfaces && found.conflicts == wanted.conflicts;
}

}  // namespace

std::string label_value(std::string_view name) {
    constexpr std::size_t kMaxLabel = 63;
    constexpr std::size_t kHashAndDash = 17;
    if (name.size() <= kMaxLabel) {
        return std::string(name);
    }
    return std::string(name.substr(0, kMaxLabel - kHashAndDash)) + "-" +
           hex(hash(kHashStart, name));
}

bool L2StatusChanges::empty() const {
    return remove.empty() && leftovers.empty() && create.empty() && patch_metadata.empty() &&
           patch_status.empty();
}

L2Statuses desired_l2_statuses(
    const L2StatusScope& scope, const Announcements& plan, const std::set<Conflict>& conflicts
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
                entry = by_service.emplace(service, blank(scope, service)).first;
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
    const L2StatusScope& scope,
    const Announcements& plan,
    const L2Statuses& desired,
    const ObservedL2Statuses& observed
) {
    L2StatusChanges changes;
    std::map<kube::ObjectKey, const kube::ServiceL2Status*> wanted;  // by Service
    for (const auto& [key, status] : desired) {
        wanted.emplace(status.service, &status);
    }
    Owners owners(plan);
    std::map<kube::ObjectKey, const kube::ServiceL2Status*> kept;  // by Service
    for (const auto& [key, status] : observed) {
        const Subject subject = subject_of(*status);
        const auto want = wanted.find(subject.service);
        bool keep = false;
        if (subject.node != scope.node_name && subject.node != label_value(scope.node_name)) {
            if (want != wanted.end() && !owners.contains(subject.service, subject.node)) {
                changes.leftovers.push_back({key, status->meta.uid, subject.node, subject.service});
            }
            continue;
        }
        if (want != wanted.end()) {
            // Ours by name, or, when that is not there, the first one.
            keep = key == want->second->meta.key ||
                   (!observed.contains(want->second->meta.key) && !kept.contains(subject.service));
            if (keep) {
                kept.emplace(subject.service, status.get());
            }
        }
        if (!keep) {
            changes.remove.push_back(key);
        }
    }
    for (const auto& [key, status] : desired) {
        const auto found = kept.find(status.service);
        if (found == kept.end()) {
            changes.create.push_back(status);
            continue;
        }
        kube::ServiceL2Status next = status;
        next.meta.key = found->second->meta.key;
        if (!has_metadata_of(*found->second, next)) {
            changes.patch_metadata.push_back(next);
        }
        if (!has_status_of(*found->second, next)) {
            changes.patch_status.push_back(std::move(next));
        }
    }
    return changes;
}

bool LeftoverPace::admits(const Leftover& leftover, Instant now) {
    Node& node = nodes_[leftover.node];
    const auto removed = node.removed.find(leftover.service);
    if (removed != node.removed.end()) {
        if (removed->second == leftover.uid) {
            return false;  // its removal was not seen yet
        }
        node.removed.clear();
        node.held_until = now + node.hold;
        node.hold = std::min(node.hold * 2, kLongestHold);
    }
    return now >= node.held_until;
}

void LeftoverPace::removed(const Leftover& leftover) {
    nodes_[leftover.node].removed.insert_or_assign(leftover.service, leftover.uid);
}

}  // namespace steelyard::speaker_plan
