#pragma once

#include "common/config/config.hpp"
#include "common/kube/model/core.hpp"
#include "common/net/ip.hpp"

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

// An interface that a speaker told the ring about: it may announce at least one family there.
struct MemberInterface {
    std::string name;
    bool arp = false;
    bool ndp = false;
    bool up = true;  // has a carrier
    friend bool operator==(const MemberInterface&, const MemberInterface&) = default;
};

// A speaker in the ring, this node included: what all members see, so that they elect alike. This
// node's own entry must say what its gossip says of it, never fresher facts.
struct MemberView {
    std::string name;  // = node name
    MemberState state = MemberState::Alive;
    bool ready = false;              // it says its kernel is programmed; moot unless capable
    bool steelyard_capable = false;  // false: a MetalLB speaker
    std::optional<std::vector<MemberInterface>> interfaces;  // absent: it did not tell
    bool draining = false;
    bool settling = false;                  // came back a moment ago
    std::vector<std::uint32_t> unservable;  // fingerprints of what its kernel refused; sorted
    bool unservable_overflow = false;       // more than fits: it serves nothing
    friend bool operator==(const MemberView&, const MemberView&) = default;
};

// How gossip names an address that a kernel refused: FNV-1a (32 bits) over the family (4 or 6) and
// the address's bytes in network order. The same on every machine and in every version. Two
// addresses with one fingerprint only cost a node a candidature.
[[nodiscard]] std::uint32_t address_fingerprint(const net::IpAddress& address);

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
    // What this node's kernel forwards; absent: another proxy does, everything is servable. Like
    // `interfaces` it only guards what this node announces; the election uses `members`.
    std::optional<std::unordered_set<net::IpAddress>> servable;
};

}  // namespace steelyard::speaker_plan
