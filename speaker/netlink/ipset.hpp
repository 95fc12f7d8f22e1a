#pragma once

#include "speaker/netlink/message.hpp"
#include "speaker/proxy/tables.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The ipset subsystem of nfnetlink (linux/netfilter/ipset/ip_set.h) to and from the proxy's values.
// Pure. Adding what is there and deleting what is not succeed, so every request can be repeated.
namespace steelyard::netlink::ipset {

// The most members a hash set we create may hold; ipset's own default of 65536 is what breaks
// kube-proxy at large clusters.
inline constexpr std::uint32_t kMaxElements = 1U << 20U;

[[nodiscard]] Bytes get_type(proxy::SetId set);  // asks for the revisions the kernel knows
[[nodiscard]] std::optional<std::uint8_t> decode_revision(ByteView payload);  // the newest
[[nodiscard]] Bytes create(std::string_view name, proxy::SetId set, std::uint8_t revision);
[[nodiscard]] Bytes destroy(std::string_view name);
[[nodiscard]] Bytes add(std::string_view name, proxy::SetId set, const proxy::SetEntry& entry);
[[nodiscard]] Bytes del(std::string_view name, proxy::SetId set, const proxy::SetEntry& entry);
[[nodiscard]] Bytes list(std::string_view name);
// The members in one answer of a list; what is malformed is left out.
[[nodiscard]] std::vector<proxy::SetEntry> decode_members(ByteView payload, proxy::SetId set);
// ipset's own error numbers (4096 and up) in words, others as errno.
[[nodiscard]] std::string describe_error(int error);

}  // namespace steelyard::netlink::ipset
