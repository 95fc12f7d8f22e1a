#pragma once

#include "common/base/check.hpp"
#include "common/net/prefix.hpp"
#include "common/wire/reader.hpp"
#include "common/wire/testing.hpp"
#include "speaker/bgp/wire/attributes.hpp"
#include "speaker/bgp/wire/framer.hpp"
#include "speaker/bgp/wire/message.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// For tests, also of the rooms above: a stream cut into messages, and an UPDATE of ours read back
// into prefixes and attributes. The reader trusts its input, unlike decode_update.
namespace steelyard::bgp_wire {

using wire::bytes_of;
using wire::from_hex;
using wire::to_hex;

struct Message {
    MessageType type = MessageType::Keepalive;
    wire::Bytes body;
};

// Every message of a stream; the test has failed when the stream is not whole.
inline std::vector<Message> split_messages(std::span<const std::byte> stream) {
    Framer framer;
    framer.push(stream);
    std::vector<Message> out;
    while (true) {
        const auto next = framer.next(kMaxExtendedMessage);
        if (const auto* frame = std::get_if<Frame>(&next)) {
            out.push_back({frame->type, {frame->body.begin(), frame->body.end()}});
            continue;
        }
        SY_CHECK(
            std::holds_alternative<NeedMore>(next) && framer.held() == 0, "stream of whole messages"
        );
        return out;
    }
}

struct ReadUpdate {
    std::vector<net::Prefix> announced;
    std::vector<net::Prefix> withdrawn;
    PathAttributes attributes;        // as4 as told to the reader; AS4_PATH replaces AS_PATH
    std::vector<std::uint8_t> types;  // attribute types, in order
    [[nodiscard]] bool end_of_rib_v4() const {
        return announced.empty() && withdrawn.empty() && types.empty();
    }
};

inline net::IpAddress read_address(wire::Reader& in, net::Family family) {
    if (family == net::Family::V4) {
        return net::IpAddress::v4(in.u32());
    }
    std::array<std::uint8_t, 16> bytes{};
    for (std::uint8_t& byte : bytes) {
        byte = in.u8();
    }
    return net::IpAddress::v6(bytes);
}

inline std::vector<net::Prefix> read_prefixes(
    std::span<const std::byte> field, net::Family family
) {
    wire::Reader in(field);
    std::vector<net::Prefix> out;
    while (in.ok() && in.remaining() > 0) {
        const unsigned length = in.u8();
        std::array<std::byte, 16> padded{};
        const auto octets = in.bytes((length + 7) / 8);
        std::copy(octets.begin(), octets.end(), padded.begin());
        wire::Reader address(padded);
        out.emplace_back(read_address(address, family), length);
    }
    SY_CHECK(in.ok(), "prefixes of ours are well-formed");
    return out;
}

inline std::vector<std::uint32_t> read_path(std::span<const std::byte> value, bool as4) {
    wire::Reader in(value);
    std::vector<std::uint32_t> out;
    while (in.ok() && in.remaining() > 0) {
        SY_CHECK(in.u8() == kAsSequence, "we send sequences only");
        for (unsigned count = in.u8(); count > 0; --count) {
            out.push_back(as4 ? in.u32() : in.u16());
        }
    }
    return out;
}

inline void read_mp_reach(ReadUpdate& out, wire::Reader& in) {
    const std::uint16_t afi = in.u16();
    const auto family = unicast_family(afi, in.u8());
    const std::size_t length = in.u8();
    out.attributes.next_hop = read_address(in, length == 4 ? net::Family::V4 : net::Family::V6);
    if (length == 32) {
        out.attributes.next_hop_link_local = read_address(in, net::Family::V6);
    }
    in.skip(1);
    out.announced = read_prefixes(in.rest(), family.value());
}

inline void read_attribute(ReadUpdate& out, AttributeType type, std::span<const std::byte> value) {
    wire::Reader in(value);
    PathAttributes& attributes = out.attributes;
    switch (type) {
        case AttributeType::Origin:
            attributes.origin = static_cast<Origin>(in.u8());
            break;
        case AttributeType::AsPath:
            attributes.as_path = read_path(value, attributes.as4);
            break;
        case AttributeType::As4Path:
            attributes.as_path = read_path(value, true);
            break;
        case AttributeType::NextHop:
            attributes.next_hop = net::IpAddress::v4(in.u32());
            break;
        case AttributeType::MultiExitDisc:
            attributes.med = in.u32();
            break;
        case AttributeType::LocalPref:
            attributes.local_pref = in.u32();
            break;
        case AttributeType::OnlyToCustomer:
            attributes.only_to_customer = in.u32();
            break;
        case AttributeType::Communities:
            while (in.ok() && in.remaining() > 0) {
                attributes.communities.push_back(in.u32());
            }
            break;
        case AttributeType::LargeCommunities:
            while (in.ok() && in.remaining() > 0) {
                const std::uint32_t global = in.u32();
                const std::uint32_t data1 = in.u32();
                attributes.large.push_back({global, data1, in.u32()});
            }
            break;
        case AttributeType::ExtendedCommunities:
            while (in.ok() && in.remaining() > 0) {
                ExtendedCommunity community;
                for (std::uint8_t& byte : community.bytes) {
                    byte = in.u8();
                }
                attributes.extended.push_back(community);
            }
            break;
        case AttributeType::MpReach:
            read_mp_reach(out, in);
            break;
        case AttributeType::MpUnreach: {
            const std::uint16_t afi = in.u16();
            const auto family = unicast_family(afi, in.u8());
            out.withdrawn = read_prefixes(in.rest(), family.value());
            break;
        }
        case AttributeType::AtomicAggregate:
        case AttributeType::Aggregator:
        case AttributeType::OriginatorId:
        case AttributeType::ClusterList:
        case AttributeType::As4Aggregator:
        case AttributeType::Ipv6ExtendedCommunities:
            SY_CHECK(false, "an attribute we never send");
    }
}

inline ReadUpdate read_update(std::span<const std::byte> body, bool as4 = true) {
    wire::Reader in(body);
    ReadUpdate out;
    out.attributes.as4 = as4;
    out.withdrawn = read_prefixes(in.bytes(in.u16()), net::Family::V4);
    wire::Reader attributes(in.bytes(in.u16()));
    while (attributes.ok() && attributes.remaining() > 0) {
        const std::uint8_t flags = attributes.u8();
        out.types.push_back(attributes.u8());
        const std::size_t length =
            (flags & kFlagExtendedLength) != 0 ? attributes.u16() : attributes.u8();
        const auto value = attributes.bytes(length);
        read_attribute(out, static_cast<AttributeType>(out.types.back()), value);
    }
    const auto nlri = read_prefixes(in.rest(), net::Family::V4);
    out.announced.insert(out.announced.end(), nlri.begin(), nlri.end());
    SY_CHECK(in.ok() && attributes.ok(), "an UPDATE of ours is well-formed");
    return out;
}

}  // namespace steelyard::bgp_wire
