#include "speaker/bgp/wire/attributes.hpp"

#include "common/base/check.hpp"
#include "speaker/bgp/wire/message.hpp"

#include <algorithm>
#include <span>

namespace steelyard::bgp_wire {
namespace {

constexpr std::uint8_t kWellKnown = kFlagTransitive;
constexpr std::uint8_t kOptionalTransitive = kFlagOptional | kFlagTransitive;
constexpr std::size_t kMaxSegment = 255;
constexpr std::uint32_t kMaxTwoOctets = 0xffff;

// One or more sequences, since a segment counts its members in one octet.
void encode_path(
    wire::Writer& out,
    std::uint8_t flags,
    AttributeType type,
    std::span<const std::uint32_t> path,
    bool as4
) {
    const std::size_t segments = (path.size() + kMaxSegment - 1) / kMaxSegment;
    encode_attribute_header(out, flags, type, segments * 2 + path.size() * (as4 ? 4 : 2));
    while (!path.empty()) {
        const auto segment = path.first(std::min(path.size(), kMaxSegment));
        out.u8(kAsSequence);
        out.u8(static_cast<std::uint8_t>(segment.size()));
        for (const std::uint32_t asn : segment) {
            if (as4) {
                out.u32(asn);
            } else {
                out.u16(static_cast<std::uint16_t>(asn > kMaxTwoOctets ? kAsTrans : asn));
            }
        }
        path = path.subspan(segment.size());
    }
}

void encode_u32(
    wire::Writer& out,
    std::uint8_t flags,
    AttributeType type,
    const std::optional<std::uint32_t>& value
) {
    if (value) {
        encode_attribute_header(out, flags, type, 4);
        out.u32(*value);
    }
}

void encode_communities(wire::Writer& out, const PathAttributes& attributes) {
    const auto& values = attributes.communities;
    if (values.empty()) {
        return;
    }
    encode_attribute_header(
        out, kOptionalTransitive, AttributeType::Communities, values.size() * 4
    );
    for (const std::uint32_t community : values) {
        out.u32(community);
    }
}

void encode_extended(wire::Writer& out, const PathAttributes& attributes) {
    const auto& values = attributes.extended;
    if (values.empty()) {
        return;
    }
    encode_attribute_header(
        out, kOptionalTransitive, AttributeType::ExtendedCommunities, values.size() * 8
    );
    for (const ExtendedCommunity& community : values) {
        out.bytes(std::span<const std::uint8_t>(community.bytes));
    }
}

void encode_large(wire::Writer& out, const PathAttributes& attributes) {
    const auto& values = attributes.large;
    if (values.empty()) {
        return;
    }
    encode_attribute_header(
        out, kOptionalTransitive, AttributeType::LargeCommunities, values.size() * 12
    );
    for (const LargeCommunity& community : values) {
        out.u32(community.global);
        out.u32(community.data1);
        out.u32(community.data2);
    }
}

}  // namespace

void encode_attribute_header(
    wire::Writer& out, std::uint8_t flags, AttributeType type, std::size_t length
) {
    SY_CHECK(length <= 0xffff, "path attribute longer than its length field");
    const bool extended = length > 0xff;
    out.u8(static_cast<std::uint8_t>(flags | (extended ? kFlagExtendedLength : 0U)));
    out.u8(static_cast<std::uint8_t>(type));
    if (extended) {
        out.u16(static_cast<std::uint16_t>(length));
    } else {
        out.u8(static_cast<std::uint8_t>(length));
    }
}

void encode_attributes(wire::Writer& out, const PathAttributes& attributes, NextHopIn where) {
    encode_attribute_header(out, kWellKnown, AttributeType::Origin, 1);
    out.u8(static_cast<std::uint8_t>(attributes.origin));
    const std::span<const std::uint32_t> path(attributes.as_path);
    encode_path(out, kWellKnown, AttributeType::AsPath, path, attributes.as4);
    if (where == NextHopIn::Attribute) {
        SY_CHECK(attributes.next_hop.is_v4(), "NEXT_HOP is an IPv4 address");
        encode_attribute_header(out, kWellKnown, AttributeType::NextHop, 4);
        out.bytes(attributes.next_hop.bytes());
    }
    encode_u32(out, kFlagOptional, AttributeType::MultiExitDisc, attributes.med);
    encode_u32(out, kWellKnown, AttributeType::LocalPref, attributes.local_pref);
    encode_communities(out, attributes);
    encode_extended(out, attributes);
    const auto needs_four = [](std::uint32_t asn) {
        return asn > kMaxTwoOctets;
    };
    // RFC 6793 4.2.2: only where AS_TRANS hides something.
    if (!attributes.as4 && std::any_of(path.begin(), path.end(), needs_four)) {
        encode_path(out, kOptionalTransitive, AttributeType::As4Path, path, true);
    }
    encode_large(out, attributes);
    encode_u32(
        out, kOptionalTransitive, AttributeType::OnlyToCustomer, attributes.only_to_customer
    );
}

}  // namespace steelyard::bgp_wire
