#include "speaker/plan/ring.hpp"

#include <algorithm>

namespace steelyard::speaker_plan {
namespace {

elect::Order common_order(const Snapshot& snapshot) {
    if (!snapshot.members) {
        return elect::Order::MetalLb;
    }
    const bool foreign = std::any_of(
        snapshot.members->begin(),
        snapshot.members->end(),
        [](const MemberView& member) {
            return member.state != MemberState::Left && !member.steelyard_capable;
        }
    );
    return foreign ? elect::Order::MetalLb : elect::Order::Rendezvous;
}

elect::Standing standing_of(const MemberView& member) {
    if (member.draining) {
        return elect::Standing::Draining;
    }
    return member.settling ? elect::Standing::Settling : elect::Standing::Settled;
}

}  // namespace

Ring::Ring(const Snapshot& snapshot) : snapshot_(snapshot), order_(common_order(snapshot)) {
    std::unordered_map<std::string_view, const MemberView*> members;
    if (snapshot.members) {
        members.reserve(snapshot.members->size());
        for (const MemberView& member : *snapshot.members) {
            members.emplace(member.name, &member);
        }
    }
    nodes_.reserve(snapshot.nodes.size());
    numbers_.reserve(snapshot.nodes.size());
    for (const auto& [key, node] : snapshot.nodes) {
        const auto found = members.find(key.name);
        const MemberView* member = found == members.end() ? nullptr : found->second;
        const auto number = static_cast<elect::NodeIndex>(nodes_.size());
        numbers_.emplace(key.name, number);
        nodes_.push_back({node.get(), member});
        if (member != nullptr) {
            for (const std::uint32_t fingerprint : member->unservable) {
                refused_.emplace_back(fingerprint, number);
            }
        }
    }
    std::sort(refused_.begin(), refused_.end());
}

elect::NodeFacts Ring::facts_of(const RingNode& entry) const {
    elect::NodeFacts facts;
    facts.name = entry.node->meta.key.name;
    if (entry.member != nullptr) {
        const MemberView& member = *entry.member;
        facts.alive = member.state != MemberState::Left;
        facts.reachable = member.state != MemberState::Unreachable;
        facts.ready = member.ready || !member.steelyard_capable;
        facts.foreign = !member.steelyard_capable;
        facts.forwards = !member.unservable_overflow;
        facts.standing = standing_of(member);
    } else if (!snapshot_.members) {
        facts.alive = facts.reachable = facts.ready = true;
    }
    facts.network_unavailable = entry.node->network_unavailable;
    facts.excluded_by_label =
        !snapshot_.ignore_exclude_label && entry.node->meta.labels.contains(kExcludeLabel);
    return facts;
}

std::vector<elect::NodeFacts> Ring::facts() const {
    std::vector<elect::NodeFacts> facts;
    facts.reserve(nodes_.size());
    for (const RingNode& node : nodes_) {
        facts.push_back(facts_of(node));
    }
    return facts;
}

std::vector<elect::NodeIndex> Ring::unservable(const net::IpAddress& address) const {
    std::vector<elect::NodeIndex> nodes;
    if (refused_.empty()) {
        return nodes;
    }
    const std::uint32_t fingerprint = address_fingerprint(address);
    auto entry = std::lower_bound(
        refused_.begin(), refused_.end(), std::pair<std::uint32_t, elect::NodeIndex>(fingerprint, 0)
    );
    for (; entry != refused_.end() && entry->first == fingerprint; ++entry) {
        nodes.push_back(entry->second);
    }
    return nodes;
}

}  // namespace steelyard::speaker_plan
