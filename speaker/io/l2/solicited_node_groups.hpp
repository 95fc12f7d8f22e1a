#pragma once

#include "common/base/error.hpp"
#include "common/net/ip.hpp"

#include <set>

// Membership of solicited-node multicast groups on one interface (RFC 4861 7.2.1). Joined through
// an IPv6 socket, so that the kernel reports it by MLD and switches that snoop let solicitations
// through. Leaves everything when it dies.
namespace steelyard::io_l2 {

class SolicitedNodeGroups {
public:
    explicit SolicitedNodeGroups(unsigned interface_index) : interface_index_(interface_index) {}
    SolicitedNodeGroups(SolicitedNodeGroups&& other) noexcept;
    SolicitedNodeGroups(const SolicitedNodeGroups&) = delete;
    SolicitedNodeGroups& operator=(const SolicitedNodeGroups&) = delete;
    SolicitedNodeGroups& operator=(SolicitedNodeGroups&&) = delete;
    ~SolicitedNodeGroups();

    // Leaves and joins groups until exactly `groups` remain. Returns those that could not be
    // joined (the kernel bounds them by net.core.optmem_max): they are tried again next time.
    std::set<net::IpAddress> set(const std::set<net::IpAddress>& groups);

private:
    bool change(int option, const net::IpAddress& group);

    unsigned interface_index_;
    int socket_ = -1;
    std::set<net::IpAddress> joined_;
};

}  // namespace steelyard::io_l2
