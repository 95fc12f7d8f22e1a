#include "speaker/io/l2/solicited_node_groups.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace steelyard::io_l2 {
namespace {

constexpr std::size_t kMostSockets = 64;

}  // namespace

SolicitedNodeGroups::~SolicitedNodeGroups() {
    forget();
}

void SolicitedNodeGroups::set(std::set<net::IpAddress> groups) {
    wanted_ = std::move(groups);
    to_join_.clear();
    to_leave_.clear();
    for (const net::IpAddress& group : wanted_) {
        if (!joined_.contains(group)) {
            to_join_.insert(to_join_.end(), group);
        }
    }
    for (const auto& [group, socket] : joined_) {
        if (!wanted_.contains(group)) {
            to_leave_.insert(to_leave_.end(), group);
        }
    }
}

void SolicitedNodeGroups::work(std::size_t most, std::vector<net::IpAddress>& failed) {
    for (; most > 0 && !to_leave_.empty(); --most) {
        const auto group = to_leave_.extract(to_leave_.begin()).value();
        const auto known = joined_.find(group);
        (void)change(known->second, IPV6_LEAVE_GROUP, group);
        joined_.erase(known);
    }
    for (; most > 0 && !to_join_.empty(); --most) {
        const auto group = to_join_.extract(to_join_.begin()).value();
        if (!join(group)) {
            failed.push_back(group);
        }
    }
}

void SolicitedNodeGroups::forget() {
    for (const int socket : sockets_) {
        ::close(socket);
    }
    sockets_.clear();
    joined_.clear();
    set(std::move(wanted_));
}

// In a socket that has room, the one opened last first; when all are full, in another.
bool SolicitedNodeGroups::join(const net::IpAddress& group) {
    for (auto socket = sockets_.rbegin(); socket != sockets_.rend(); ++socket) {
        if (change(*socket, IPV6_JOIN_GROUP, group)) {
            joined_.emplace(group, *socket);
            return true;
        }
        if (errno != ENOBUFS && errno != ENOMEM) {
            return false;
        }
    }
    if (sockets_.size() == kMostSockets) {
        return false;
    }
    const int socket = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) {
        return false;
    }
    sockets_.push_back(socket);
    if (!change(socket, IPV6_JOIN_GROUP, group)) {
        return false;
    }
    joined_.emplace(group, socket);
    return true;
}

bool SolicitedNodeGroups::change(int socket, int option, const net::IpAddress& group) const {
    ipv6_mreq request{};
    const auto bytes = group.bytes();
    std::copy(bytes.begin(), bytes.end(), std::begin(request.ipv6mr_multiaddr.s6_addr));
    request.ipv6mr_interface = interface_index_;
    return setsockopt(socket, IPPROTO_IPV6, option, &request, sizeof request) == 0;
}

}  // namespace steelyard::io_l2
