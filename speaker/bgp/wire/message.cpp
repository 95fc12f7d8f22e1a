#include "speaker/bgp/wire/message.hpp"

#include "common/base/check.hpp"

#include <array>

namespace steelyard::bgp_wire {

std::string_view to_string(MessageType type) {
    switch (type) {
        case MessageType::Open:
            return "OPEN";
        case MessageType::Update:
            return "UPDATE";
        case MessageType::Notification:
            return "NOTIFICATION";
        case MessageType::Keepalive:
            return "KEEPALIVE";
        case MessageType::RouteRefresh:
            return "ROUTE-REFRESH";
    }
    return "unknown";
}

std::optional<net::Family> unicast_family(std::uint16_t afi, std::uint8_t safi) {
    if (safi != kSafiUnicast) {
        return std::nullopt;
    }
    if (afi == kAfiV4) {
        return net::Family::V4;
    }
    if (afi == kAfiV6) {
        return net::Family::V6;
    }
    return std::nullopt;
}

std::size_t begin_message(wire::Writer& out, MessageType type) {
    static constexpr auto kMarker = [] {
        std::array<std::byte, 16> marker{};
        marker.fill(std::byte{0xff});
        return marker;
    }();
    const std::size_t start = out.size();
    out.bytes(kMarker);
    out.u16(0);
    out.u8(static_cast<std::uint8_t>(type));
    return start;
}

void end_message(wire::Writer& out, std::size_t start) {
    const std::size_t length = out.size() - start;
    SY_CHECK(length >= kHeaderSize && length <= kMaxExtendedMessage, "BGP message length");
    out.patch_u16(start + 16, static_cast<std::uint16_t>(length));
}

void encode_keepalive(wire::Writer& out) {
    end_message(out, begin_message(out, MessageType::Keepalive));
}

}  // namespace steelyard::bgp_wire
