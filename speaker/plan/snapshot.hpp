#pragma once

#include "common/config/config.hpp"
#include "common/kube/model/core.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

// Everything the speaker decides from, as one value. The app fills it from its stores, the gossip
// ring, the link monitor and the data plane; nothing here is asked for later.
namespace steelyard::speaker_plan {

enum class MemberState : std::uint8_t {
    Alive,
    Suspect,      // SWIM suspects it: still a candidate, as in MetalLB
    Unreachable,  // its watchers agree that it is silent: no candidate
    Left,         // left or declared dead
};

// A speaker in the ring, this node included: what all members see, so that they elect alike.
struct MemberView {
    std::string name;  // = node name
    MemberState state = MemberState::Alive;
    bool ready = false;              // it says its kernel is programmed; moot unless capable
    bool steelyard_capable = false;  // false: a MetalLB speaker
    std::optional<std::vector<std::string>> interfaces;  // its eligible ones, if it told
    friend bool operator==(const MemberView&, const MemberView&) = default;
};

// An interface of this node that may announce at least one family.
struct LocalInterface {
    std::string name;
    bool arp = false;
    bool ndp = false;
    friend bool operator==(const LocalInterface&, const LocalInterface&) = default;
};

template <class T>
using Objects = std::map<kube::ObjectKey, std::shared_ptr<const T>>;  // as kube::Store has them

struct Snapshot {
    std::string node_name;
    std::string load_balancer_class;    // "": Services without a class; else only that class
    bool ignore_exclude_label = false;  // --ignore-exclude-lb
    std::shared_ptr<const config::Config> config;  // null until one was valid
    Objects<kube::Service> services;
    Objects<kube::EndpointSlice> slices;
    Objects<kube::Node> nodes;
    std::optional<std::vector<MemberView>>
        members;  // absent: no gossip, every node counts as alive
    std::vector<LocalInterface> interfaces;
    // What this node's kernel forwards; absent: another proxy does, everything is servable.
    std::optional<std::unordered_set<net::IpAddress>> servable;
};

}  // namespace steelyard::speaker_plan
