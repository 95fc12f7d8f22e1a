#pragma once

#include "speaker/netlink/message.hpp"
#include "speaker/proxy/tables.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

// IPVS generic netlink (linux/ip_vs.h) to and from the proxy's values. Pure. `family` is the number
// the kernel gave the family "IPVS". Forwarding is always masquerading, as kube-proxy's is.
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
[[nodiscard]] Bytes dump_services(std::uint16_t family);
[[nodiscard]] Bytes dump_dests(std::uint16_t family, const proxy::VirtualServerKey& key);
// Idle timeouts; 0 keeps the kernel's.
[[nodiscard]] Bytes set_timeouts(
    std::uint16_t family,
    std::chrono::seconds tcp,
    std::chrono::seconds tcp_fin,
    std::chrono::seconds udp
);

struct Service {
    proxy::VirtualServerKey key;
    proxy::Scheduling scheduling;
};
// Of a dump's answers; nullopt for what the proxy cannot own: firewall-mark services and anything
// malformed.
[[nodiscard]] std::optional<Service> decode_service(ByteView payload);
[[nodiscard]] std::optional<std::pair<net::Endpoint, std::uint32_t>> decode_dest(
    ByteView payload, net::Family service_family
);

}  // namespace steelyard::netlink::ipvs
