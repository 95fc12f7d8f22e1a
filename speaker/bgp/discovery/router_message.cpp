#include "speaker/bgp/discovery/router_message.hpp"

#include "common/base/check.hpp"
#include "common/wire/reader.hpp"

namespace steelyard::bgp_discovery {
namespace {

constexpr int kLinkHopLimit = 255;
constexpr std::size_t kSolicitationRest = 4;    // reserved
constexpr std::size_t kAdvertisementRest = 12;  // hop limit, flags, lifetime, two timers
constexpr std::size_t kOptionUnit = 8;
constexpr std::uint8_t kSourceLinkLayer = 1;

// RFC 4861 4.6: type, length in units of eight bytes, never 0. What they say is of no interest.
bool valid_options(wire::Reader& reader) {
    while (reader.ok() && reader.remaining() > 0) {
        reader.skip(1);
        const std::size_t units = reader.u8();
        if (units == 0) {
            return false;
        }
        reader.skip(units * kOptionUnit - 2);
    }
    return reader.ok();
}

void add_link_layer_option(wire::Writer& out, const std::optional<net::MacAddress>& mac) {
    if (mac) {
        out.u8(kSourceLinkLayer);
        out.u8(1);
        out.bytes(std::span<const std::uint8_t>(mac->bytes));
    }
}

net::IpAddress group(const char* text) {
    const auto parsed = net::IpAddress::parse(text);
    SY_CHECK(parsed.has_value(), "a literal address");
    return *parsed;
}

}  // namespace

std::string_view to_string(Refusal refusal) {
    switch (refusal) {
        case Refusal::None:
            return "none";
        case Refusal::HopLimit:
            return "hop limit is not 255";
        case Refusal::Source:
            return "source is not link-local";
        case Refusal::OtherType:
            return "not a router message";
        case Refusal::Malformed:
            return "malformed";
    }
    return "?";
}

Decoded decode(std::span<const std::byte> message, const net::IpAddress& source, int hop_limit) {
    wire::Reader reader(message);
    const std::uint8_t type = reader.u8();
    const std::uint8_t code = reader.u8();
    reader.skip(2);  // the checksum: the kernel's
    if (!reader.ok()) {
        return {Refusal::Malformed, {}};
    }
    const bool advertisement = type == static_cast<std::uint8_t>(RouterMessage::Advertisement);
    if (!advertisement && type != static_cast<std::uint8_t>(RouterMessage::Solicitation)) {
        return {Refusal::OtherType, {}};
    }
    if (hop_limit != kLinkHopLimit) {
        return {Refusal::HopLimit, {}};
    }
    const bool link_local = !source.is_v4() && source.is_link_local() && !source.is_multicast();
    if (advertisement && !link_local) {
        return {Refusal::Source, {}};
    }
    reader.skip(advertisement ? kAdvertisementRest : kSolicitationRest);
    if (code != 0 || !reader.ok() || !valid_options(reader)) {
        return {Refusal::Malformed, {}};
    }
    return {
        Refusal::None, advertisement ? RouterMessage::Advertisement : RouterMessage::Solicitation};
}

wire::Bytes encode_solicitation(const std::optional<net::MacAddress>& mac) {
    wire::Writer out;
    out.u8(static_cast<std::uint8_t>(RouterMessage::Solicitation));
    out.u8(0);
    out.u16(0);
    out.u32(0);
    add_link_layer_option(out, mac);
    return out.take();
}

wire::Bytes encode_advertisement(const std::optional<net::MacAddress>& mac) {
    wire::Writer out;
    out.u8(static_cast<std::uint8_t>(RouterMessage::Advertisement));
    out.u8(0);
    out.u16(0);
    out.u8(0);   // hop limit for hosts: unspecified
    out.u8(0);   // flags
    out.u16(0);  // router lifetime
    out.u32(0);  // reachable time, retransmission timer: unspecified
    out.u32(0);
    add_link_layer_option(out, mac);
    return out.take();
}

net::IpAddress all_nodes() {
    return group("ff02::1");
}

net::IpAddress all_routers() {
    return group("ff02::2");
}

}  // namespace steelyard::bgp_discovery
