#include "common/wire/reader.hpp"
#include "speaker/bgp/wire/update_check.hpp"

#include <algorithm>
#include <array>

// Prefixes, and the two attributes that carry those of any family (RFC 4760, RFC 8950; RFC
// 7606 5.3, 7.11 and 7.12). Once one of them cannot be parsed, what it announced or withdrew is
// unknown: disabling its family is the mildest answer there is.
namespace steelyard::bgp_wire {
namespace {

Finding complain(
    const RawAttribute& attribute, Verdict verdict, UpdateError error, const std::string& what
) {
    return Finding{verdict, error, attribute.whole, attribute_name(attribute.type) + ": " + what};
}

Finding disable(const RawAttribute& attribute, const std::string& what) {
    return complain(attribute, Verdict::DisableFamily, UpdateError::OptionalAttributeError, what);
}

bool negotiated(net::Family family, const UpdateContext& context) {
    return family == net::Family::V4 ? context.v4 : context.v6;
}

// The part both attributes share: whose routes they are and whether they are worth reading. Nothing
// found and a family set: go on with `in`.
MpRoutes open_mp(wire::Reader& in, const RawAttribute& attribute, const UpdateContext& context) {
    MpRoutes out;
    const std::uint16_t afi = in.u16();
    const std::uint8_t safi = in.u8();
    out.has_nlri = true;  // until it is known better
    if (!in.ok()) {
        // Too short to say which family to disable.
        out.finding = complain(
            attribute,
            Verdict::Reset,
            UpdateError::OptionalAttributeError,
            "length " + std::to_string(attribute.value.size()) + ", want 3 or more"
        );
        return out;
    }
    const auto family = unicast_family(afi, safi);
    if (!family || !negotiated(*family, context)) {
        out.finding = complain(
            attribute,
            Verdict::Discard,
            UpdateError::OptionalAttributeError,
            "AFI " + std::to_string(afi) + " SAFI " + std::to_string(safi) + " was not negotiated"
        );
        return out;
    }
    out.family = family;
    if (attribute.overruns) {
        out.finding = disable(attribute, "overruns the attributes");
    }
    return out;
}

bool next_hop_length_fits(std::size_t length, net::Family family, const UpdateContext& context) {
    const bool v6 = length == 16 || length == 32;
    if (family == net::Family::V6) {
        return v6;
    }
    return length == 4 || (v6 && context.v4_over_v6);
}

// The global address alone; what stands beside it is used on the link only.
bool is_host(std::span<const std::byte> next_hop) {
    wire::Reader in(next_hop);
    if (next_hop.size() == 4) {
        const auto address = net::IpAddress::v4(in.u32());
        return !address.is_unspecified() && !address.is_multicast();
    }
    std::array<std::uint8_t, 16> bytes{};
    std::generate(bytes.begin(), bytes.end(), [&] { return in.u8(); });
    const auto address = net::IpAddress::v6(bytes);
    return !address.is_unspecified() && !address.is_multicast();
}

// RFC 7606 3 c: the routes are known, so they alone suffer.
void check_flags(MpRoutes& out, const RawAttribute& attribute) {
    if (!out.finding && (attribute.flags & (kFlagOptional | kFlagTransitive)) != kFlagOptional) {
        out.finding = complain(
            attribute,
            Verdict::TreatAsWithdraw,
            UpdateError::AttributeFlagsError,
            "flags " + std::to_string(attribute.flags) + ", want optional non-transitive"
        );
    }
}

void read_nlri(MpRoutes& out, const RawAttribute& attribute, std::span<const std::byte> field) {
    out.has_nlri = !field.empty();
    if (const auto count = count_prefixes(field, *out.family)) {
        out.routes = *count;
        return;
    }
    out.has_nlri = true;
    out.finding = disable(attribute, "prefixes are syntactically incorrect");
}

}  // namespace

std::optional<std::uint32_t> count_prefixes(std::span<const std::byte> field, net::Family family) {
    const unsigned longest = family == net::Family::V4 ? 32 : 128;
    std::uint32_t count = 0;
    wire::Reader in(field);
    while (in.ok() && in.remaining() > 0) {
        const unsigned length = in.u8();
        if (length > longest) {
            return std::nullopt;
        }
        in.skip((length + 7) / 8);
        ++count;
    }
    return in.ok() ? std::optional(count) : std::nullopt;
}

MpRoutes read_mp_reach(const RawAttribute& attribute, const UpdateContext& context) {
    wire::Reader in(attribute.value);
    MpRoutes out = open_mp(in, attribute, context);
    if (out.finding) {
        return out;
    }
    const std::size_t length = in.u8();
    if (in.ok() && !next_hop_length_fits(length, *out.family, context)) {
        out.finding = disable(attribute, "next hop of " + std::to_string(length) + " octets");
        return out;
    }
    const auto next_hop = in.bytes(length);
    in.skip(1);  // reserved, ignored
    if (!in.ok()) {
        out.finding = disable(attribute, "ends within its next hop");
        return out;
    }
    read_nlri(out, attribute, in.rest());
    check_flags(out, attribute);
    if (!out.finding && !is_host(next_hop)) {
        out.finding = complain(
            attribute,
            Verdict::TreatAsWithdraw,
            UpdateError::OptionalAttributeError,
            "next hop is no host address"
        );
    }
    return out;
}

MpRoutes read_mp_unreach(const RawAttribute& attribute, const UpdateContext& context) {
    wire::Reader in(attribute.value);
    MpRoutes out = open_mp(in, attribute, context);
    if (!out.finding) {
        read_nlri(out, attribute, in.rest());
        check_flags(out, attribute);
    }
    return out;
}

}  // namespace steelyard::bgp_wire
