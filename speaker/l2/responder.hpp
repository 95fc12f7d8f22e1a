#pragma once

#include "common/base/time.hpp"
#include "speaker/l2/action.hpp"
#include "speaker/l2/announcements.hpp"
#include "speaker/l2/arp.hpp"
#include "speaker/l2/drop.hpp"
#include "speaker/l2/ndp.hpp"
#include "speaker/l2/ownership.hpp"

#include <cstddef>
#include <span>
#include <unordered_map>
#include <variant>

// Answers ARP requests and neighbour solicitations for the addresses we answer for, and notices
// when somebody else claims one. Any bytes are fine; a frame that is none of our business costs a
// parse and a hash look-up, and no allocation. The answer is unicast, with the MAC of the port the
// frame came in.
namespace steelyard::l2 {

// What a frame was: someone asked (and was answered), someone claimed, or nothing.
struct Asked {
    net::IpAddress address;
};
struct Claimed {
    net::IpAddress address;
    net::MacAddress claimant;
};
using Heard = std::variant<Drop, Asked, Claimed>;

class Responder {
public:
    // `ownership` must outlive it.
    explicit Responder(const Ownership& ownership) : ownership_(&ownership) {}

    // A whole Ethernet frame received on this port, ARP or ICMPv6.
    Heard on_arp(const Port& port, std::span<const std::byte> frame, Actions& out);
    Heard on_ndp(const Port& port, std::span<const std::byte> frame, Actions& out);
    // Forgets the counters of what is no longer announced.
    void forget_released();

    // requests_received and responses_sent of every announced address that was asked for.
    [[nodiscard]] const std::unordered_map<net::IpAddress, AddressCounters>& counters() const {
        return counters_;
    }

private:
    Heard on_solicitation(const Port& port, const NdpPacket& packet, Actions& out);
    [[nodiscard]] bool is_answered(const net::IpAddress& address, const Port& port) const {
        return ownership_->find(address, port) != nullptr;
    }
    [[nodiscard]] bool is_own(const net::MacAddress& mac) const;

    const Ownership* ownership_;
    std::unordered_map<net::IpAddress, AddressCounters> counters_;
};

}  // namespace steelyard::l2
