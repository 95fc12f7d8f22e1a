#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/net/ip.hpp"
#include "speaker/gossip/wire/packet.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// How a member behaves. Lan and Wan are memberlist's own settings (MetalLB uses them); Fast is our
// default for speakers on one layer 2 segment. The settings need not be equal on all members: every
// field is this node's own pace, none is on the wire.
namespace steelyard::gossip {

enum class Profile : std::uint8_t { Fast, Lan, Wan };
[[nodiscard]] std::string_view to_string(Profile profile);  // "fast", "lan", "wan"
[[nodiscard]] Result<Profile> parse_profile(std::string_view text);

struct Timing {
    Duration probe_interval{};  // one member is probed in each
    Duration probe_timeout{};   // wait for a direct ack, then ask others
    unsigned indirect_checks = 3;
    // A suspect is declared dead after suspicion_mult * max(1, log10 N) * probe_interval when
    // enough others confirm, and after suspicion_max_mult times that when nobody does.
    unsigned suspicion_mult = 4;
    unsigned suspicion_max_mult = 6;
    unsigned retransmit_mult = 4;  // a broadcast is sent this many times ceil(log10(N + 1))
    Duration gossip_interval{};
    unsigned gossip_nodes = 3;
    Duration gossip_to_the_dead{};  // keep telling the dead, and remembering them, for this long
    Duration push_pull_interval{};  // up to 32 members; grows with log2 beyond
    Duration stream_timeout{};
    unsigned awareness_max = 8;  // local health score stays below this (Lifeguard)
    // A dead member's name may come back from another address after this; never, without a value.
    std::optional<Duration> dead_reclaim;
    // One member that is missing is tried in each; more rarely in clusters of hundreds.
    Duration reconnect_interval{};
};
[[nodiscard]] Timing timing(Profile profile);

struct Config {
    std::string name;       // unique in the cluster: the node's name
    net::Endpoint address;  // where others reach us, over UDP and TCP
    wire::Bytes meta;       // at most gossip_wire::kMaxMeta bytes, seen by every member
    Timing timing = gossip::timing(Profile::Fast);
    gossip_wire::Envelope envelope;
    // What we say we speak. Members must agree on the delegate's version, which is the business of
    // whoever embeds memberlist: 0 for MetalLB.
    gossip_wire::Versions versions;
    // Where this life's incarnations start. Higher than in any life before, nobody's memory of one
    // and no record of its packets says anything about this one.
    std::uint32_t first_incarnation = 1;
    std::size_t max_members = 8192;
    std::size_t max_inbound_streams = 64;
    std::size_t max_inbound_streams_per_address = 8;
    std::size_t max_inbound_bytes = 32 << 20;  // held in all of them together
};
[[nodiscard]] Result<> validate(const Config& config);

}  // namespace steelyard::gossip
