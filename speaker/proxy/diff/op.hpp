#pragma once

#include "speaker/proxy/tables.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

// One change of the kernel's tables. Adding a set entry that is there with another mark replaces
// the mark in place.
namespace steelyard::proxy {

struct AddSetEntry {
    SetId set;
    SetEntry entry;
    std::uint32_t mark = 0;  // 0: none
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
[[nodiscard]] std::string to_string(const Op& op);  // add virtual server TCP 10.96.0.1:443

// What an operation is about: a virtual server with its real servers, an address with its route, or
// a member of a set. What is compared, refused and tried again as one.
using Object = std::variant<VirtualServerKey, net::IpAddress, SetElement>;
[[nodiscard]] Object object_of(const Op& op);
[[nodiscard]] std::string to_string(const Object& object);  // KUBE-CLUSTER-IP 10.96.0.1,TCP:443

// The effect of an operation on tables. Not of use to the proxy itself: kernels in tests do it.
void apply(const Op& op, KernelTables& tables);

}  // namespace steelyard::proxy
