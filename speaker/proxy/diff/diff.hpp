#pragma once

#include "common/base/time.hpp"
#include "speaker/proxy/diff/desired.hpp"
#include "speaker/proxy/tables.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// Wanted against found -> ordered operations. The order keeps traffic flowing at every prefix: set
// members (masquerading) before virtual servers, real servers in before others go out, an address
// appears after what serves it and disappears before it. Nothing is ever flushed or deleted and
// re-added: the kernel keeps deleted destinations on a list every add scans.
namespace steelyard::proxy {

struct AddSetEntry {
    SetId set;
    SetEntry entry;
    std::uint32_t mark = 0;
    friend bool operator==(const AddSetEntry&, const AddSetEntry&) = default;
};
struct RemoveSetEntry {
    SetId set;
    SetEntry entry;
    friend bool operator==(const RemoveSetEntry&, const RemoveSetEntry&) = default;
};
struct AddAddress {
    net::IpAddress address;
    friend bool operator==(const AddAddress&, const AddAddress&) = default;
};
struct RemoveAddress {
    net::IpAddress address;
    friend bool operator==(const RemoveAddress&, const RemoveAddress&) = default;
};
// A host route in table local; one that is there with another source is replaced.
struct AddRoute {
    net::IpAddress address;
    std::optional<net::IpAddress> source;  // of the node's own packets to it
    friend bool operator==(const AddRoute&, const AddRoute&) = default;
};
struct RemoveRoute {
    net::IpAddress address;
    friend bool operator==(const RemoveRoute&, const RemoveRoute&) = default;
};
struct AddVirtualServer {
    VirtualServerKey key;
    Scheduling scheduling;
    friend bool operator==(const AddVirtualServer&, const AddVirtualServer&) = default;
};
struct SetVirtualServer {
    VirtualServerKey key;
    Scheduling scheduling;
    friend bool operator==(const SetVirtualServer&, const SetVirtualServer&) = default;
};
struct RemoveVirtualServer {
    VirtualServerKey key;
    friend bool operator==(const RemoveVirtualServer&, const RemoveVirtualServer&) = default;
};
struct AddRealServer {
    VirtualServerKey key;
    net::Endpoint endpoint;
    std::uint32_t weight = 1;
    friend bool operator==(const AddRealServer&, const AddRealServer&) = default;
};
struct SetRealServer {
    VirtualServerKey key;
    net::Endpoint endpoint;
    std::uint32_t weight = 1;  // 0: no new connections
    friend bool operator==(const SetRealServer&, const SetRealServer&) = default;
};
struct RemoveRealServer {
    VirtualServerKey key;
    net::Endpoint endpoint;
    friend bool operator==(const RemoveRealServer&, const RemoveRealServer&) = default;
};

using Op = std::variant<
    AddSetEntry,
    RemoveSetEntry,
    AddAddress,
    RemoveAddress,
    AddRoute,
    RemoveRoute,
    AddVirtualServer,
    SetVirtualServer,
    RemoveVirtualServer,
    AddRealServer,
    SetRealServer,
    RemoveRealServer>;
[[nodiscard]] std::string to_string(const Op& op);

// The effect of an acknowledged operation on the mirror of the kernel.
void apply(const Op& op, KernelTables& tables);

// When each draining real server goes for good. Only TCP drains: a UDP flow has no end to wait for.
class Drains {
public:
    using Key = std::pair<VirtualServerKey, net::Endpoint>;

    // Follows the weight-0 and removal operations that were acknowledged.
    void on_applied(const Op& op, Instant now, Duration grace);
    // Real servers found with weight 0 and not wanted, as after a restart, start their grace now.
    void adopt(
        const KernelTables& desired, const KernelTables& observed, Instant now, Duration grace
    );
    [[nodiscard]] bool is_due(const Key& key, Instant now) const;
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    // The virtual servers with a real server whose grace is over.
    [[nodiscard]] Touched due(Instant now) const;

private:
    std::map<Key, Instant> deadlines_;
};

[[nodiscard]] std::vector<Op> diff(
    const KernelTables& desired, const KernelTables& observed, const Drains& drains, Instant now
);
// The same, looking only at what was touched.
[[nodiscard]] std::vector<Op> diff(
    const KernelTables& desired,
    const KernelTables& observed,
    const Drains& drains,
    Instant now,
    const Touched& touched
);

}  // namespace steelyard::proxy
