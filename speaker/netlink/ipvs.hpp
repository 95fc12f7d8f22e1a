#pragma once

#include "speaker/netlink/message.hpp"
#include "speaker/proxy/tables.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

// IPVS generic netlink (linux/ip_vs.h) to and from the proxy's values. Pure. `family` is the number
// the kernel gave the family "IPVS". Forwarding is always masquerading, as kube-proxy's is. A key
// with a mark is a firewall-mark service.
namespace steelyard::netlink::ipvs {

[[nodiscard]] Bytes get_family();  // to the generic netlink controller
[[nodiscard]] std::optional<std::uint16_t> decode_family(ByteView payload);

[[nodiscard]] Bytes new_service(
    std::uint16_t family, const proxy::VirtualServerKey& key, const proxy::Scheduling& scheduling
);
[[nodiscard]] Bytes set_service(
    std::uint16_t family, const proxy::VirtualServerKey& key, const proxy::Scheduling& scheduling
);
[[nodiscard]] Bytes del_service(std::uint16_t family, const proxy::VirtualServerKey& key);
[[nodiscard]] Bytes new_dest(
    std::uint16_t family,
    const proxy::VirtualServerKey& key,
    const net::Endpoint& real_server,
    std::uint32_t weight
);
[[nodiscard]] Bytes set_dest(
    std::uint16_t family,
    const proxy::VirtualServerKey& key,
    const net::Endpoint& real_server,
    std::uint32_t weight
);
[[nodiscard]] Bytes del_dest(
    std::uint16_t family, const proxy::VirtualServerKey& key, const net::Endpoint& real_server
);
[[nodiscard]] Bytes get_service(std::uint16_t family, const proxy::VirtualServerKey& key);
[[nodiscard]] Bytes dump_services(std::uint16_t family);
[[nodiscard]] Bytes dump_dests(std::uint16_t family, const proxy::VirtualServerKey& key);

// Idle timeouts; when written, 0 keeps the kernel's.
struct Timeouts {
    std::chrono::seconds tcp{0};
    std::chrono::seconds tcp_fin{0};
    std::chrono::seconds udp{0};
    friend bool operator==(const Timeouts&, const Timeouts&) = default;
};
[[nodiscard]] Bytes set_timeouts(std::uint16_t family, const Timeouts& timeouts);
[[nodiscard]] Bytes get_timeouts(std::uint16_t family);
[[nodiscard]] std::optional<Timeouts> decode_timeouts(ByteView payload);

struct Service {
    proxy::VirtualServerKey key;
    proxy::Scheduling scheduling;
};
// Of a dump's answers; nullopt for anything malformed.
[[nodiscard]] std::optional<Service> decode_service(ByteView payload);

struct Dest {
    net::Endpoint endpoint;
    std::uint32_t weight = 0;
    bool masquerading = true;  // as all of ours are
};
[[nodiscard]] std::optional<Dest> decode_dest(ByteView payload, net::Family service_family);

}  // namespace steelyard::netlink::ipvs
