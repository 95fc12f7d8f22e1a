#pragma once

#include "common/net/ip.hpp"
#include "speaker/proxy/tables.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <unordered_map>
#include <vector>

// Which tracked UDP flows lead to a real server that is not there any more. UDP has no end that
// would tell a client to start anew, and the client's own packets keep the kernel's entry alive: a
// black hole until somebody deletes the entry. TCP and SCTP connections end by themselves. Pure:
// flows come from speaker/netlink/conntrack, deleting is the driver's.
namespace steelyard::conntrack {

// A tracked flow as the client began it, and where its replies come from after translation.
struct Flow {
    net::Protocol protocol = net::Protocol::Udp;
    net::Endpoint client;        // original source
    net::Endpoint destination;   // original destination: a frontend, if it is ours
    net::Endpoint reply_source;  // the real server; the destination itself when untranslated
    std::uint16_t zone = 0;
    std::uint32_t id = 0;  // the kernel's; tells an entry from a later one of equal addresses
    friend bool operator==(const Flow&, const Flow&) = default;
};

// What is asked of whoever knows the kernel's tables.
struct Lookup {
    // Null when there is no such virtual server.
    std::function<const proxy::RealServers*(const proxy::VirtualServerKey&)> real_servers;
    // Shows every member of the sets that carry marks.
    using OnMember = std::function<void(const proxy::SetElement&, std::uint32_t mark)>;
    std::function<void(const OnMember&)> marked;
};

// UDP frontends (virtual address and port, or node address and node port) and the real servers
// each may lead to: those of its address server and of the firewall-mark servers that the mark sets
// send its packets to. Real servers of any weight count: UDP never drains.
class Frontends {
public:
    // Those that a change of these virtual servers concerns. A UDP server that the kernel does not
    // have any more leads nowhere: all its flows are stale.
    [[nodiscard]] static Frontends of(
        const Lookup& lookup, const std::set<proxy::VirtualServerKey>& changed
    );

    void add(const net::Endpoint& frontend, const net::Endpoint& real_server);
    void add(const net::Endpoint& frontend);  // leading nowhere, so far

    // True for a UDP flow to a frontend whose replies do not come from one of its real servers. So
    // too where there is none: new packets are then refused or dropped before they are tracked,
    // and nothing old is in the way of the real server that comes. A flow that began before there
    // was a virtual server is its own reply source and so stale as well. Other conntrack zones
    // belong to others.
    [[nodiscard]] bool is_stale(const Flow& flow) const;
    [[nodiscard]] bool empty() const { return real_servers_.empty(); }
    [[nodiscard]] bool has(net::Family family) const;

private:
    struct Hash {
        std::size_t operator()(const net::Endpoint& endpoint) const noexcept;
    };

    std::unordered_map<net::Endpoint, std::vector<net::Endpoint>, Hash> real_servers_;
};

}  // namespace steelyard::conntrack
