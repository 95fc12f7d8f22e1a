#include "speaker/bgp/wire/route_refresh.hpp"

#include "common/wire/reader.hpp"

#include <algorithm>

namespace steelyard::bgp_wire {
namespace {

constexpr std::size_t kBody = 4;

// RFC 7313 5: the data is the whole message that was wrong.
Notification bad_length(std::span<const std::byte> body) {
    wire::Writer message;
    const std::size_t start = begin_message(message, MessageType::RouteRefresh);
    message.bytes(body.first(std::min(body.size(), kMaxExtendedMessage - kHeaderSize)));
    end_message(message, start);
    return make_notification(RouteRefreshError::InvalidMessageLength, message.take());
}

}  // namespace

Decoded<std::optional<RouteRefresh>> decode_route_refresh(std::span<const std::byte> body) {
    wire::Reader in(body);
    const std::uint16_t afi = in.u16();
    const std::uint8_t kind = in.u8();
    const std::uint8_t safi = in.u8();
    if (!in.ok()) {
        return bad_length(body);
    }
    // RFC 7313 3.2: a kind that is not known is ignored.
    if (kind > static_cast<std::uint8_t>(RouteRefresh::Kind::End)) {
        return std::optional<RouteRefresh>();
    }
    const auto known = static_cast<RouteRefresh::Kind>(kind);
    if (known != RouteRefresh::Kind::Request && body.size() != kBody) {
        return bad_length(body);
    }
    const auto family = unicast_family(afi, safi);
    if (!family) {
        return std::optional<RouteRefresh>();
    }
    return std::optional(RouteRefresh{*family, known});
}

void encode_route_refresh(wire::Writer& out, const RouteRefresh& refresh) {
    const std::size_t start = begin_message(out, MessageType::RouteRefresh);
    out.u16(afi(refresh.family));
    out.u8(static_cast<std::uint8_t>(refresh.kind));
    out.u8(kSafiUnicast);
    end_message(out, start);
}

}  // namespace steelyard::bgp_wire
