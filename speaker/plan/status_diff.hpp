#pragma once

#include "speaker/plan/status_objects.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Making and comparing, as all kinds of status objects share it. Private to the room.
namespace steelyard::speaker_plan {

// What an object is about, a Service or (without namespace) a BGPPeer, and on which node.
struct StatusSubject {
    kube::ObjectKey about;
    std::string node;
};

[[nodiscard]] kube::ObjectKey status_key(
    std::string_view prefix, const StatusScope& scope, const kube::ObjectKey& subject
);
[[nodiscard]] std::string label_of(const kube::ObjectMeta& meta, std::string_view name);

// For the kinds that are about a Service: the object before it tells anything.
template <class Status>
[[nodiscard]] Status status_of_service(
    std::string_view prefix, const StatusScope& scope, const kube::ObjectKey& service
) {
    Status status;
    status.meta.key = status_key(prefix, scope, service);
    status.meta.labels.emplace(kNodeLabel, label_value(scope.node_name));
    status.meta.labels.emplace(kServiceNameLabel, label_value(service.name));
    status.meta.labels.emplace(kServiceNamespaceLabel, label_value(service.ns));
    status.owner = scope.pod;
    status.node = scope.node_name;
    status.service = service;
    return status;
}

// A new object has its labels before its status, which is written in a second step.
template <class Status>
[[nodiscard]] StatusSubject subject_of(const Status& status) {
    if (!status.node.empty() && !status.service.name.empty()) {
        return {status.service, status.node};
    }
    return {
        {label_of(status.meta, kServiceNamespaceLabel), label_of(status.meta, kServiceNameLabel)},
        label_of(status.meta, kNodeLabel)};
}
template <>
[[nodiscard]] inline StatusSubject subject_of(const kube::BgpSessionState& status) {
    if (!status.node.empty() && !status.peer.empty()) {
        return {{"", status.peer}, status.node};
    }
    return {{"", label_of(status.meta, kPeerLabel)}, label_of(status.meta, kNodeLabel)};
}

// Labels that others added stay.
template <class Status>
[[nodiscard]] bool has_metadata_of(const Status& found, const Status& wanted) {
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

// Both have their status and are about the same on the same node.
template <class Status>
[[nodiscard]] bool same_subject(const Status& a, const Status& b) {
    return a.service == b.service && a.node == b.node;
}
template <>
[[nodiscard]] inline bool same_subject(
    const kube::BgpSessionState& a, const kube::BgpSessionState& b
) {
    return a.peer == b.peer && a.node == b.node;
}

// One comparison. Nearly all objects are where they ought to be, and there may be 10 000: those are
// found in one walk, without a copy of any name.
template <class Status, class SameStatus, class IsLeftover>
class StatusDiff {
public:
    StatusDiff(
        const StatusScope& scope,
        const StatusObjects<Status>& desired,
        const Objects<Status>& observed,
        const SameStatus& same_status,
        const IsLeftover& is_leftover
    )
        : scope_(scope),
          desired_(desired),
          observed_(observed),
          same_status_(same_status),
          is_leftover_(is_leftover) {}

    StatusChanges<Status> run() {
        walk();
        for (const Status* want : missing_) {
            by_subject_.emplace(subject_of(*want).about, want);
        }
        if (!others_.empty()) {
            for (const auto& [key, status] : desired_) {
                wanted_.emplace(subject_of(status).about, &status);
            }
        }
        for (const auto& [key, status] : others_) {
            judge(*key, *status);
        }
        for (const auto& [subject, want] : by_subject_) {
            changes_.create.push_back(*want);
        }
        return std::move(changes_);
    }

private:
    void walk() {
        auto found = observed_.begin();
        const auto pass = [&](const kube::ObjectKey* until) {
            for (; found != observed_.end() && (until == nullptr || found->first < *until);
                 ++found) {
                others_.emplace_back(&found->first, found->second.get());
            }
        };
        for (const auto& [key, want] : desired_) {
            pass(&key);
            const bool there = found != observed_.end() && found->first == key;
            if (there && same_subject(*found->second, want)) {
                compare(*found->second, want);
                ++found;
            } else {
                missing_.push_back(&want);
            }
        }
        pass(nullptr);
    }

    // What is not where it ought to be: another node's, by another name (MetalLB generates them),
    // without its status yet, or not wanted any more.
    void judge(const kube::ObjectKey& key, const Status& found) {
        const StatusSubject subject = subject_of(found);
        if (subject.node != scope_.node_name && subject.node != label_value(scope_.node_name)) {
            if (wanted_.contains(subject.about) && is_leftover_(subject)) {
                changes_.leftovers.push_back({key, found.meta.uid, subject.node, subject.about});
            }
            return;
        }
        auto want = by_subject_.find(subject.about);
        if (const auto named = desired_.find(key); named != desired_.end()) {
            want = by_subject_.find(subject_of(named->second).about);  // a label may hold less
        }
        // Ours by name, or, when that is not there, the first one.
        if (want != by_subject_.end() &&
            (key == want->second->meta.key || !observed_.contains(want->second->meta.key))) {
            compare(found, *want->second);
            by_subject_.erase(want);
        } else {
            changes_.remove.push_back(key);
        }
    }

    void compare(const Status& found, const Status& want) {
        const bool same_metadata = has_metadata_of(found, want);
        const bool same = same_status_(found, want);
        if (same_metadata && same) {
            return;
        }
        Status next = want;
        next.meta.key = found.meta.key;
        if (!same_metadata) {
            changes_.patch_metadata.push_back(next);
        }
        if (!same) {
            changes_.patch_status.push_back(std::move(next));
        }
    }

    const StatusScope& scope_;
    const StatusObjects<Status>& desired_;
    const Objects<Status>& observed_;
    const SameStatus& same_status_;
    const IsLeftover& is_leftover_;
    std::vector<const Status*> missing_;  // desired, and not there by name
    std::vector<std::pair<const kube::ObjectKey*, const Status*>> others_;  // there, and not found
    std::map<kube::ObjectKey, const Status*> by_subject_;                   // of missing_
    std::map<kube::ObjectKey, const Status*> wanted_;                       // all, by subject
    StatusChanges<Status> changes_;
};

// `same_status(found, wanted)` compares what the kind tells. `is_leftover(subject)` is asked about
// objects of other nodes whose subject this node has an object for.
template <class Status, class SameStatus, class IsLeftover>
[[nodiscard]] StatusChanges<Status> diff_statuses(
    const StatusScope& scope,
    const StatusObjects<Status>& desired,
    const Objects<Status>& observed,
    const SameStatus& same_status,
    const IsLeftover& is_leftover
) {
    return StatusDiff<Status, SameStatus, IsLeftover>(
               scope, desired, observed, same_status, is_leftover
    )
        .run();
}

}  // namespace steelyard::speaker_plan
