#pragma once

#include "speaker/netlink/message.hpp"
#include "speaker/proxy/conntrack/stale.hpp"

#include <cstdint>
#include <optional>

// ctnetlink (linux/netfilter/nfnetlink_conntrack.h) to and from flows. Pure.
namespace steelyard::netlink::conntrack {

using steelyard::conntrack::Flow;

// How many flows there are; refused (EINVAL) by a kernel without nf_conntrack_netlink.
[[nodiscard]] Bytes get_stats();
[[nodiscard]] std::optional<std::uint32_t> decode_stats(ByteView payload);

// Asks for the UDP flows of a family. Kernels from 5.8 on filter by protocol themselves, older ones
// answer with everything: look at Flow::protocol.
[[nodiscard]] Bytes dump_udp(net::Family family);
// Of a dump's answers; nullopt for other protocols than ours and anything malformed.
[[nodiscard]] std::optional<Flow> decode_flow(ByteView payload);
// Deletes this very entry, not a newer one with the same addresses; ENOENT when it is gone.
[[nodiscard]] Bytes del(const Flow& flow);

}  // namespace steelyard::netlink::conntrack
