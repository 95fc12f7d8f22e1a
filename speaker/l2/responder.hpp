#pragma once

#include "common/base/time.hpp"
#include "speaker/l2/action.hpp"
#include "speaker/l2/announcements.hpp"
#include "speaker/l2/arp.hpp"
#include "speaker/l2/ndp.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

// Answers ARP requests and neighbour solicitations for the announced addresses, and notices when
// somebody else claims one. Any bytes are fine; a frame that is none of our business costs a parse
// and a hash look-up, and no allocation. The answer is unicast, with the MAC of the port it came
// in.
namespace steelyard::l2 {

class Responder {
public:
    void set_ports(std::vector<Port> ports);
    void set_announcements(std::shared_ptr<const Announcements> announcements);

    // A whole Ethernet frame received on the port with that index.
    void on_frame(
        unsigned interface_index, std::span<const std::byte> frame, Instant now, Actions& out
    );

    // requests_received and responses_sent of every announced address that was asked for.
    [[nodiscard]] const std::unordered_map<net::IpAddress, AddressCounters>& counters() const {
        return counters_;
    }

private:
    void on_arp(const Port& port, const ArpPacket& packet, Instant now, Actions& out);
    void on_ndp(const Port& port, const NdpPacket& packet, Instant now, Actions& out);
    void on_solicitation(const Port& port, const NdpPacket& packet, Actions& out);
    [[nodiscard]] bool is_announced(const net::IpAddress& address, const Port& port) const;
    [[nodiscard]] bool is_own(const net::MacAddress& mac) const;
    void report_conflict(
        const Port& port,
        const net::IpAddress& address,
        const net::MacAddress& claimant,
        Instant now,
        Actions& out
    );

    std::vector<Port> ports_;
    std::shared_ptr<const Announcements> announcements_;
    std::unordered_map<net::IpAddress, AddressCounters> counters_;
    std::map<net::IpAddress, Instant> next_conflict_report_;
};

}  // namespace steelyard::l2
