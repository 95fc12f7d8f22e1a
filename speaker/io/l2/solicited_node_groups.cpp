#include "speaker/io/l2/solicited_node_groups.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace steelyard::io_l2 {

SolicitedNodeGroups::SolicitedNodeGroups(SolicitedNodeGroups&& other) noexcept
    : interface_index_(other.interface_index_),
      socket_(std::exchange(other.socket_, -1)),
      joined_(std::move(other.joined_)) {}

SolicitedNodeGroups::~SolicitedNodeGroups() {
    if (socket_ >= 0) {
        ::close(socket_);
    }
}

std::set<net::IpAddress> SolicitedNodeGroups::set(const std::set<net::IpAddress>& groups) {
    std::erase_if(joined_, [&](const net::IpAddress& group) {
        return !groups.contains(group) && change(IPV6_LEAVE_GROUP, group);
    });
    std::set<net::IpAddress> failed;
    for (const net::IpAddress& group : groups) {
        if (joined_.contains(group)) {
            continue;
        }
        if (change(IPV6_JOIN_GROUP, group)) {
            joined_.insert(group);
        } else {
            failed.insert(group);
        }
    }
    return failed;
}

bool SolicitedNodeGroups::change(int option, const net::IpAddress& group) {
    if (socket_ < 0) {
        socket_ = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    ipv6_mreq request{};
    const auto bytes = group.bytes();
    std::copy(bytes.begin(), bytes.end(), std::begin(request.ipv6mr_multiaddr.s6_addr));
    request.ipv6mr_interface = interface_index_;
    return socket_ >= 0 && setsockopt(socket_, IPPROTO_IPV6, option, &request, sizeof request) == 0;
}

}  // namespace steelyard::io_l2
