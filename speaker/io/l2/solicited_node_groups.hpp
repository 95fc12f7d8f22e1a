#pragma once

#include "common/net/ip.hpp"

#include <cstddef>
#include <map>
#include <set>
#include <vector>

// Membership of solicited-node multicast groups on one interface (RFC 4861 7.2.1). Joined through
// IPv6 sockets, so that the kernel reports it by MLD and switches that snoop let solicitations
// through. The kernel bounds the groups of one socket by net.core.optmem_max: there are as many
// sockets as needed. It also walks a list at each change, so large sets are changed piece by piece.
// Leaves everything when it dies.
namespace steelyard::io_l2 {

class SolicitedNodeGroups {
public:
    explicit SolicitedNodeGroups(unsigned interface_index) : interface_index_(interface_index) {}
    SolicitedNodeGroups(const SolicitedNodeGroups&) = delete;
    SolicitedNodeGroups& operator=(const SolicitedNodeGroups&) = delete;
    ~SolicitedNodeGroups();

    // What shall be joined from now on; what could not be joined before is tried once more.
    void set(std::set<net::IpAddress> groups);
    // Makes up to `most` changes. Appends to `failed` what could not be joined.
    void work(std::size_t most, std::vector<net::IpAddress>& failed);
    [[nodiscard]] bool is_done() const { return to_leave_.empty() && to_join_.empty(); }
    // The kernel lost them all: the interface was taken away and is back.
    void forget();

private:
    bool join(const net::IpAddress& group);
    [[nodiscard]] bool change(int socket, int option, const net::IpAddress& group) const;

    unsigned interface_index_;
    std::vector<int> sockets_;
    std::map<net::IpAddress, int> joined_;  // with the socket
    std::set<net::IpAddress> wanted_;
    std::set<net::IpAddress> to_join_;
    std::set<net::IpAddress> to_leave_;
};

}  // namespace steelyard::io_l2
