#pragma once

#include "common/net/ip.hpp"
#include "common/wire/writer.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

// The path attributes this speaker sends, as values and as bytes. Numbers are IANA's.
namespace steelyard::bgp_wire {

enum class AttributeType : std::uint8_t {
    Origin = 1,
    AsPath = 2,
    NextHop = 3,
    MultiExitDisc = 4,
    LocalPref = 5,
    AtomicAggregate = 6,
    Aggregator = 7,
    Communities = 8,
    OriginatorId = 9,
    ClusterList = 10,
    MpReach = 14,
    MpUnreach = 15,
    ExtendedCommunities = 16,
    As4Path = 17,
    As4Aggregator = 18,
    Ipv6ExtendedCommunities = 25,
    LargeCommunities = 32,
    OnlyToCustomer = 35,
};

inline constexpr std::uint8_t kFlagOptional = 0x80;
inline constexpr std::uint8_t kFlagTransitive = 0x40;
inline constexpr std::uint8_t kFlagPartial = 0x20;
inline constexpr std::uint8_t kFlagExtendedLength = 0x10;

inline constexpr std::uint8_t kAsSet = 1;
inline constexpr std::uint8_t kAsSequence = 2;

enum class Origin : std::uint8_t { Igp = 0, Egp = 1, Incomplete = 2 };

struct ExtendedCommunity {
    std::array<std::uint8_t, 8> bytes{};
    friend auto operator<=>(const ExtendedCommunity&, const ExtendedCommunity&) = default;
};

struct LargeCommunity {
    std::uint32_t global = 0;
    std::uint32_t data1 = 0;
    std::uint32_t data2 = 0;
    friend auto operator<=>(const LargeCommunity&, const LargeCommunity&) = default;
};

struct PathAttributes {
    Origin origin = Origin::Igp;
    std::vector<std::uint32_t>
        as_path;      // one sequence, nearest first; empty for a route of ours on iBGP
    bool as4 = true;  // the peer reads AS numbers of four octets (RFC 6793)
    std::optional<std::uint32_t> med;
    std::optional<std::uint32_t> local_pref;
    std::vector<std::uint32_t> communities;
    std::vector<LargeCommunity> large;
    std::vector<ExtendedCommunity> extended;
    std::optional<std::uint32_t> only_to_customer;  // RFC 9234
    net::IpAddress next_hop;
    std::optional<net::IpAddress> next_hop_link_local;  // beside an IPv6 next hop (RFC 2545)
    friend bool operator==(const PathAttributes&, const PathAttributes&) = default;
};

// Appends every attribute but MP_REACH_NLRI, in the order of their types. NEXT_HOP only when asked:
// then next_hop is IPv4. For a peer without four-octet AS numbers the path is written with AS_TRANS
// and AS4_PATH tells the truth.
enum class NextHopIn : std::uint8_t { Attribute, MpReach };
void encode_attributes(wire::Writer& out, const PathAttributes& attributes, NextHopIn where);

// Flags, type and length of one attribute; the extended length form when `length` needs it.
void encode_attribute_header(
    wire::Writer& out, std::uint8_t flags, AttributeType type, std::size_t length
);

}  // namespace steelyard::bgp_wire
