#include "speaker/l2/responder.hpp"

#include <algorithm>

namespace steelyard::l2 {

void Responder::forget_released() {
    std::erase_if(counters_, [this](const auto& entry) {
        return !ownership_->announcements().contains(entry.first);
    });
}

bool Responder::is_own(const net::MacAddress& mac) const {
    const auto& ports = ownership_->ports();
    return std::any_of(ports.begin(), ports.end(), [&](const Port& port) {
        return port.mac == mac;
    });
}

Heard Responder::on_arp(const Port& port, std::span<const std::byte> frame, Actions& out) {
    const auto packet = decode_arp(frame);
    if (!packet) {
        return packet.why();
    }
    if (is_own(packet->sender_mac)) {
        return Drop::Own;
    }
    if (is_group(packet->sender_mac) || is_zero(packet->sender_mac)) {
        return Drop::Spoofed;  // answering would reach everybody or nobody
    }
    if (is_answered(packet->sender_ip, port)) {
        return Claimed{packet->sender_ip, packet->sender_mac};  // RFC 5227 2.4, any ARP packet
    }
    if (!is_answered(packet->target_ip, port)) {
        return Drop::NotAnnounced;
    }
    const bool to_us = packet->frame_destination == net::MacAddress::broadcast() ||
                       packet->frame_destination == port.mac;
    if (packet->operation != ArpOperation::Request || !to_us) {
        return Drop::NotForUs;
    }
    if (ownership_->is_relieving(packet->target_ip)) {
        return Asked{packet->target_ip};  // the node it is taken over from answers
    }
    AddressCounters& counters = counters_[packet->target_ip];
    ++counters.requests_received;
    out.emplace_back(Send{port.index, encode_arp(arp_reply(port.mac, packet->target_ip, *packet))});
    ++counters.responses_sent;
    return Asked{packet->target_ip};
}

Heard Responder::on_ndp(const Port& port, std::span<const std::byte> frame, Actions& out) {
    const auto packet = decode_ndp(frame);
    if (!packet) {
        return packet.why();
    }
    if (is_own(packet->frame_source)) {
        return Drop::Own;
    }
    if (!is_answered(packet->target, port)) {
        return Drop::NotAnnounced;
    }
    if (packet->type == NdpType::Solicitation) {
        return on_solicitation(port, *packet, out);
    }
    const net::MacAddress claimant = packet->link_layer.value_or(packet->frame_source);
    if (is_own(claimant)) {
        return Drop::Own;
    }
    if (is_group(claimant) || is_zero(claimant)) {
        return Drop::Spoofed;
    }
    return Claimed{packet->target, claimant};
}

Heard Responder::on_solicitation(const Port& port, const NdpPacket& packet, Actions& out) {
    // To the target itself: a neighbour checks that we are still there (RFC 4861 7.3.3).
    const bool to_target = packet.destination == packet.target ||
                           packet.destination == solicited_node_group(packet.target);
    const bool to_us = packet.frame_destination == port.mac || is_group(packet.frame_destination);
    if (!to_target || !to_us) {
        return Drop::NotForUs;
    }
    if (ownership_->is_relieving(packet.target)) {
        return Asked{packet.target};
    }
    AddressCounters& counters = counters_[packet.target];
    ++counters.requests_received;
    const NdpPacket reply = solicited_advertisement(port.mac, packet);
    const bool unicast = !packet.source.is_unspecified();
    if (is_zero(reply.frame_destination) || (unicast && is_group(reply.frame_destination))) {
        return Drop::Spoofed;
    }
    out.emplace_back(Send{port.index, encode_ndp(reply)});
    ++counters.responses_sent;
    return Asked{packet.target};
}

}  // namespace steelyard::l2
