#pragma once

#include "speaker/plan/status_objects.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>

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
    StatusChanges<Status> changes;
    std::map<kube::ObjectKey, const Status*> wanted;  // by subject, as the next
    for (const auto& [key, status] : desired) {
        wanted.emplace(subject_of(status).about, &status);
    }
    std::map<kube::ObjectKey, const Status*> kept;
    for (const auto& [key, status] : observed) {
        const StatusSubject subject = subject_of(*status);
        auto want = wanted.find(subject.about);
        if (const auto named = desired.find(key); want == wanted.end() && named != desired.end()) {
            want = wanted.find(subject_of(named->second).about);  // a label holds but 63 bytes
        }
        if (subject.node != scope.node_name && subject.node != label_value(scope.node_name)) {
            if (want != wanted.end() && is_leftover(subject)) {
                changes.leftovers.push_back({key, status->meta.uid, subject.node, subject.about});
            }
            continue;
        }
        // Ours by name, or, when that is not there, the first one.
        const bool keep =
            want != wanted.end() &&
            (key == want->second->meta.key ||
             (!observed.contains(want->second->meta.key) && !kept.contains(want->first)));
        if (keep) {
            kept.emplace(want->first, status.get());
        } else {
            changes.remove.push_back(key);
        }
    }
    for (const auto& [subject, want] : wanted) {
        const auto found = kept.find(subject);
        if (found == kept.end()) {
            changes.create.push_back(*want);
            continue;
        }
        const bool same_metadata = has_metadata_of(*found->second, *want);
        const bool same = same_status(*found->second, *want);
        if (same_metadata && same) {
            continue;
        }
        Status next = *want;
        next.meta.key = found->second->meta.key;
        if (!same_metadata) {
            changes.patch_metadata.push_back(next);
        }
        if (!same) {
            changes.patch_status.push_back(std::move(next));
        }
    }
    return changes;
}

}  // namespace steelyard::speaker_plan
