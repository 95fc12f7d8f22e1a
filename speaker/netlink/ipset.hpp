#pragma once

#include "speaker/netlink/message.hpp"
#include "speaker/proxy/tables.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

// The ipset subsystem of nfnetlink (linux/netfilter/ipset/ip_set.h) to and from the proxy's values.
// Pure. Adding a member that is there and deleting one that is not succeed, so that both can be
// repeated.
namespace steelyard::netlink::ipset {

// The most members a hash set we create may hold at first; ipset's own default of 65536 is what
// breaks kube-proxy at large clusters.
inline constexpr std::uint32_t kMaxElements = 1U << 20U;

[[nodiscard]] Bytes get_type(proxy::SetId set);  // asks for the revisions the kernel knows
struct Revisions {
    std::uint8_t newest = 0;
    std::uint8_t oldest = 0;
};
[[nodiscard]] std::optional<Revisions> decode_revisions(ByteView payload);
// What to create `set` with: no newer than needed, so that older ipset programs can list it;
// nullopt when the kernel is too old for a set that carries marks.
[[nodiscard]] std::optional<std::uint8_t> choose_revision(
    proxy::SetId set, const Revisions& revisions
);

[[nodiscard]] Bytes create(
    std::string_view name,
    proxy::SetId set,
    std::uint8_t revision,
    std::uint32_t max_elements = kMaxElements
);
[[nodiscard]] Bytes destroy(std::string_view name);  // ENOENT when absent
[[nodiscard]] Bytes rename(std::string_view from, std::string_view to);
// Exchanges the contents: rules that name either see the other's members from one packet to the
// next. Both must be of one type and family.
[[nodiscard]] Bytes swap(std::string_view one, std::string_view other);

// What a set is, without its members.
struct Header {
    std::string name;
    std::string type;  // hash:ip,port
    std::uint8_t revision = 0;
    std::uint32_t max_elements = 0;  // 0: not limited, as bitmaps are
    std::uint32_t elements = 0;      // 0 as well on kernels before 4.10, which do not count
    std::uint32_t references = 0;    // rules that use it
    bool carries_marks = false;      // skbinfo
};
[[nodiscard]] Bytes dump_headers();  // of all sets, ours and others'
[[nodiscard]] std::optional<Header> decode_header(ByteView payload);

// Adding a member again with another mark changes its mark.
[[nodiscard]] Bytes add(
    std::string_view name, proxy::SetId set, const proxy::SetEntry& entry, std::uint32_t mark = 0
);
[[nodiscard]] Bytes del(std::string_view name, proxy::SetId set, const proxy::SetEntry& entry);
[[nodiscard]] Bytes list(std::string_view name);
using OnMember = std::function<void(const proxy::SetEntry&, std::uint32_t mark)>;
// The members in one answer of a list; what is malformed is left out.
void decode_members(ByteView payload, proxy::SetId set, const OnMember& on_member);
// ipset's own error numbers (4096 and up; from 4352 on those of the set type) in words, others as
// errno.
[[nodiscard]] std::string describe_error(
    int error, proxy::SetType type = proxy::SetType::HashIpPort
);

}  // namespace steelyard::netlink::ipset
