#include "common/config/communities.hpp"

#include "common/net/ip.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace steelyard::config {
namespace {

constexpr std::uint64_t kMax16 = std::numeric_limits<std::uint16_t>::max();
constexpr std::uint64_t kMax32 = std::numeric_limits<std::uint32_t>::max();

// IANA, BGP Well-known Communities.
struct Registered {
    std::string_view name;
    std::uint32_t value;
};
constexpr Registered kRegistered[] = {
    {"graceful-shutdown", 0xFFFF0000},
    {"blackhole", 0xFFFF029A},
    {"no-export", 0xFFFFFF01},
    {"no-advertise", 0xFFFFFF02},
    {"no-export-subconfed", 0xFFFFFF03},
    {"no-peer", 0xFFFFFF04},
};

// RFC 4360 and RFC 5668: the type says how the administrator is written, the subtype what it is.
constexpr std::uint8_t kTwoOctetAs = 0x00;
constexpr std::uint8_t kIpv4 = 0x01;
constexpr std::uint8_t kFourOctetAs = 0x02;
constexpr std::uint8_t kRouteTarget = 0x02;
constexpr std::uint8_t kRouteOrigin = 0x03;

std::optional<std::uint32_t> number(std::string_view text, std::uint64_t max) {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || error != std::errc() || stop != end || value > max) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(value);
}

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> parts;
    constexpr std::size_t kNone = std::string_view::npos;
    for (std::size_t colon = text.find(':'); colon != kNone; colon = text.find(':')) {
        parts.push_back(text.substr(0, colon));
        text.remove_prefix(colon + 1);
    }
    parts.push_back(text);
    return parts;
}

bool take_front(std::string_view& text, std::string_view prefix) {
    const bool found = text.substr(0, prefix.size()) == prefix;
    if (found) {
        text.remove_prefix(prefix.size());
    }
    return found;
}

// Big endian, `size` bytes from `at`.
void put(ExtendedCommunity& out, std::size_t at, std::size_t size, std::uint32_t value) {
    for (std::size_t i = 0; i < size; ++i) {
        out.bytes[at + size - 1 - i] = static_cast<std::uint8_t>(value >> (8 * i));
    }
}

std::uint32_t get(const ExtendedCommunity& in, std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
        value = (value << 8U) | in.bytes[at + i];
    }
    return value;
}

// An AS number that fits 16 bits takes the two-octet form, which leaves 32 bits for the other half.
std::optional<ExtendedCommunity> parse_extended(std::string_view text) {
    const std::vector<std::string_view> parts = split(text);
    if (parts.size() != 3 || (parts[0] != "rt" && parts[0] != "soo")) {
        return std::nullopt;
    }
    ExtendedCommunity out;
    out.bytes[1] = parts[0] == "rt" ? kRouteTarget : kRouteOrigin;
    const auto address = net::IpAddress::parse(parts[1]);
    const auto asn = number(parts[1], kMax32);
    if (!asn && (!address || !address->is_v4())) {
        return std::nullopt;
    }
    const bool two_octets = asn && *asn <= kMax16;
    const auto local = number(parts[2], two_octets ? kMax32 : kMax16);
    if (!local) {
        return std::nullopt;
    }
    if (two_octets) {
        out.bytes[0] = kTwoOctetAs;
        put(out, 2, 2, *asn);
        put(out, 4, 4, *local);
        return out;
    }
    out.bytes[0] = asn ? kFourOctetAs : kIpv4;
    put(out, 2, 4, asn ? *asn : address->v4_host_order());
    put(out, 6, 2, *local);
    return out;
}

std::optional<LargeCommunity> parse_large(std::string_view text) {
    const std::vector<std::string_view> parts = split(text);
    if (parts.size() != 3) {
        return std::nullopt;
    }
    const auto global = number(parts[0], kMax32);
    const auto data1 = number(parts[1], kMax32);
    const auto data2 = number(parts[2], kMax32);
    if (!global || !data1 || !data2) {
        return std::nullopt;
    }
    return LargeCommunity{*global, *data1, *data2};
}

std::optional<std::uint32_t> parse_standard(std::string_view text) {
    for (const Registered& registered : kRegistered) {
        if (text == registered.name) {
            return registered.value;
        }
    }
    const std::vector<std::string_view> parts = split(text);
    if (parts.size() != 2) {
        return std::nullopt;
    }
    const auto high = number(parts[0], kMax16);
    const auto low = number(parts[1], kMax16);
    if (!high || !low) {
        return std::nullopt;
    }
    return (*high << 16U) | *low;
}

template <class T>
void unite(std::vector<T>& into, const std::vector<T>& from) {
    into.insert(into.end(), from.begin(), from.end());
    std::sort(into.begin(), into.end());
    into.erase(std::unique(into.begin(), into.end()), into.end());
}

template <class T>
std::optional<Communities> alone(const std::optional<T>& value, std::vector<T> Communities::*list) {
    if (!value) {
        return std::nullopt;
    }
    Communities result;
    (result.*list).push_back(*value);
    return result;
}

}  // namespace

void Communities::merge(const Communities& other) {
    unite(standard, other.standard);
    unite(large, other.large);
    unite(extended, other.extended);
}

std::optional<Communities> parse_community(std::string_view text) {
    if (take_front(text, "large:")) {
        return alone(parse_large(text), &Communities::large);
    }
    if (take_front(text, "extended:")) {
        return alone(parse_extended(text), &Communities::extended);
    }
    return alone(parse_standard(text), &Communities::standard);
}

std::string format_community(std::uint32_t standard) {
    for (const Registered& registered : kRegistered) {
        if (standard == registered.value) {
            return std::string(registered.name);
        }
    }
    return std::to_string(standard >> 16U) + ":" + std::to_string(standard & kMax16);
}

std::string format_community(const LargeCommunity& large) {
    return "large:" + std::to_string(large.global) + ":" + std::to_string(large.data1) + ":" +
           std::to_string(large.data2);
}

std::string format_community(const ExtendedCommunity& extended) {
    const std::string kind = extended.bytes[1] == kRouteTarget ? "rt:" : "soo:";
    std::string administrator = std::to_string(get(extended, 2, 4));
    std::string local = std::to_string(get(extended, 6, 2));
    if (extended.bytes[0] == kTwoOctetAs) {
        administrator = std::to_string(get(extended, 2, 2));
        local = std::to_string(get(extended, 4, 4));
    } else if (extended.bytes[0] == kIpv4) {
        administrator = net::to_string(net::IpAddress::v4(get(extended, 2, 4)));
    }
    return "extended:" + kind + administrator + ":" + local;
}

}  // namespace steelyard::config
