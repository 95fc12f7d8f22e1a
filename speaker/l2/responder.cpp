#include "speaker/l2/responder.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::l2 {
namespace {

constexpr Duration kConflictReportInterval = std::chrono::seconds(10);

std::uint16_t ether_type(std::span<const std::byte> frame) {
    if (frame.size() < 14) {
        return 0;
    }
    return static_cast<std::uint16_t>(
        std::to_integer<unsigned>(frame[12]) << 8U | std::to_integer<unsigned>(frame[13])
    );
}

}  // namespace

void Responder::set_ports(std::vector<Port> ports) {
    ports_ = std::move(ports);
}

void Responder::set_announcements(std::shared_ptr<const Announcements> announcements) {
    announcements_ = std::move(announcements);
    const auto is_gone = [this](const auto& entry) {
        return !announcements_->contains(entry.first);
    };
    std::erase_if(counters_, is_gone);
    std::erase_if(next_conflict_report_, is_gone);
}

void Responder::on_frame(
    unsigned interface_index, std::span<const std::byte> frame, Instant now, Actions& out
) {
    const auto port = std::find_if(ports_.begin(), ports_.end(), [&](const Port& candidate) {
        return candidate.index == interface_index;
    });
    if (port == ports_.end() || !announcements_) {
        return;
    }
    if (ether_type(frame) == kEtherTypeArp) {
        if (const auto packet = decode_arp(frame)) {
            on_arp(*port, *packet, now, out);
        }
    } else if (const auto packet = decode_ndp(frame)) {
        on_ndp(*port, *packet, now, out);
    }
}

bool Responder::is_announced(const net::IpAddress& address, const Port& port) const {
    const auto found = announcements_->find(address);
    return found != announcements_->end() && is_on_port(address, found->second, port);
}

bool Responder::is_own(const net::MacAddress& mac) const {
    return std::any_of(ports_.begin(), ports_.end(), [&](const Port& port) {
        return port.mac == mac;
    });
}

void Responder::on_arp(const Port& port, const ArpPacket& packet, Instant now, Actions& out) {
    if (is_own(packet.sender_mac)) {
        return;  // ours, seen on another port of the same segment
    }
    if (is_announced(packet.sender_ip, port)) {
        report_conflict(port, packet.sender_ip, packet.sender_mac, now, out);  // RFC 5227 2.4
        return;
    }
    const bool to_us = packet.frame_destination == net::MacAddress::broadcast() ||
                       packet.frame_destination == port.mac;
    if (packet.operation != ArpOperation::Request || !to_us ||
        !is_announced(packet.target_ip, port)) {
        return;
    }
    AddressCounters& counters = counters_[packet.target_ip];
    ++counters.requests_received;
    if (is_group(packet.sender_mac) || is_zero(packet.sender_mac)) {
        return;  // answering would reach everybody or nobody
    }
    out.emplace_back(Send{port.index, encode_arp(arp_reply(port.mac, packet.target_ip, packet))});
    ++counters.responses_sent;
}

void Responder::on_ndp(const Port& port, const NdpPacket& packet, Instant now, Actions& out) {
    if (is_own(packet.frame_source) || !is_announced(packet.target, port)) {
        return;
    }
    if (packet.type == NdpType::Solicitation) {
        on_solicitation(port, packet, out);
        return;
    }
    const net::MacAddress claimant = packet.link_layer.value_or(packet.frame_source);
    if (!is_own(claimant)) {
        report_conflict(port, packet.target, claimant, now, out);
    }
}

void Responder::on_solicitation(const Port& port, const NdpPacket& packet, Actions& out) {
    // To the target itself: a neighbour checks that we are still there (RFC 4861 7.3.3).
    const bool to_target = packet.destination == packet.target ||
                           packet.destination == solicited_node_group(packet.target);
    const bool to_us = packet.frame_destination == port.mac || is_group(packet.frame_destination);
    if (!to_target || !to_us) {
        return;
    }
    AddressCounters& counters = counters_[packet.target];
    ++counters.requests_received;
    const NdpPacket reply = solicited_advertisement(port.mac, packet);
    const bool unicast = !packet.source.is_unspecified();
    if (is_zero(reply.frame_destination) || (unicast && is_group(reply.frame_destination))) {
        return;
    }
    out.emplace_back(Send{port.index, encode_ndp(reply)});
    ++counters.responses_sent;
}

void Responder::report_conflict(
    const Port& port,
    const net::IpAddress& address,
    const net::MacAddress& claimant,
    Instant now,
    Actions& out
) {
    Instant& next = next_conflict_report_.try_emplace(address, now).first->second;
    if (now < next) {
        return;
    }
    next = now + kConflictReportInterval;
    out.emplace_back(Conflict{port.index, address, claimant});
}

}  // namespace steelyard::l2
