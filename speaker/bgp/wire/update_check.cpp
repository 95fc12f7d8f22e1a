#include "speaker/bgp/wire/update_check.hpp"

#include "common/wire/reader.hpp"

#include <array>
#include <utility>

namespace steelyard::bgp_wire {
namespace {

constexpr std::uint8_t kClassFlags = kFlagOptional | kFlagTransitive;
constexpr std::uint8_t kWellKnown = kFlagTransitive;
constexpr std::uint8_t kOptionalTransitive = kFlagOptional | kFlagTransitive;

struct Known {
    AttributeType type{};
    std::uint8_t flags = 0;
    std::string_view name;
};

constexpr std::array kKnown = {
    Known{AttributeType::Origin, kWellKnown, "ORIGIN"},
    Known{AttributeType::AsPath, kWellKnown, "AS_PATH"},
    Known{AttributeType::NextHop, kWellKnown, "NEXT_HOP"},
    Known{AttributeType::MultiExitDisc, kFlagOptional, "MULTI_EXIT_DISC"},
    Known{AttributeType::LocalPref, kWellKnown, "LOCAL_PREF"},
    Known{AttributeType::AtomicAggregate, kWellKnown, "ATOMIC_AGGREGATE"},
    Known{AttributeType::Aggregator, kOptionalTransitive, "AGGREGATOR"},
    Known{AttributeType::Communities, kOptionalTransitive, "COMMUNITIES"},
    Known{AttributeType::OriginatorId, kFlagOptional, "ORIGINATOR_ID"},
    Known{AttributeType::ClusterList, kFlagOptional, "CLUSTER_LIST"},
    Known{AttributeType::MpReach, kFlagOptional, "MP_REACH_NLRI"},
    Known{AttributeType::MpUnreach, kFlagOptional, "MP_UNREACH_NLRI"},
    Known{AttributeType::ExtendedCommunities, kOptionalTransitive, "EXTENDED_COMMUNITIES"},
    Known{AttributeType::As4Path, kOptionalTransitive, "AS4_PATH"},
    Known{AttributeType::As4Aggregator, kOptionalTransitive, "AS4_AGGREGATOR"},
    Known{AttributeType::Ipv6ExtendedCommunities, kOptionalTransitive, "IPV6_EXTENDED_COMMUNITIES"},
    Known{AttributeType::LargeCommunities, kOptionalTransitive, "LARGE_COMMUNITIES"},
    Known{AttributeType::OnlyToCustomer, kOptionalTransitive, "ONLY_TO_CUSTOMER"}};

const Known* find_known(std::uint8_t type) {
    for (const Known& known : kKnown) {
        if (static_cast<std::uint8_t>(known.type) == type) {
            return &known;
        }
    }
    return nullptr;
}

using Checked = std::optional<Finding>;

Checked complain(
    const RawAttribute& attribute, Verdict verdict, UpdateError error, const std::string& what
) {
    return Finding{verdict, error, attribute.whole, attribute_name(attribute.type) + ": " + what};
}

Checked want_length(const RawAttribute& attribute, std::size_t length, Verdict otherwise) {
    const std::size_t got = attribute.value.size();
    if (got == length) {
        return std::nullopt;
    }
    return complain(
        attribute,
        otherwise,
        UpdateError::AttributeLengthError,
        "length " + std::to_string(got) + ", want " + std::to_string(length)
    );
}

// RFC 7606 7.8, 7.10, 7.14, 7.15 and RFC 8092 6: one element or more, nothing over.
Checked want_elements(const RawAttribute& attribute, std::size_t size) {
    const std::size_t got = attribute.value.size();
    if (got > 0 && got % size == 0) {
        return std::nullopt;
    }
    return complain(
        attribute,
        Verdict::TreatAsWithdraw,
        UpdateError::OptionalAttributeError,
        "length " + std::to_string(got) + ", want a multiple of " + std::to_string(size)
    );
}

// RFC 7606 7.1.
Checked check_origin(const RawAttribute& attribute) {
    if (auto wrong = want_length(attribute, 1, Verdict::TreatAsWithdraw)) {
        return wrong;
    }
    const auto value = std::to_integer<unsigned>(attribute.value[0]);
    if (value <= static_cast<unsigned>(Origin::Incomplete)) {
        return std::nullopt;
    }
    return complain(
        attribute,
        Verdict::TreatAsWithdraw,
        UpdateError::InvalidOrigin,
        "value " + std::to_string(value) + ", want 0 to 2"
    );
}

// What is wrong with a path, RFC 7606 7.2 and RFC 7607 2; empty when nothing is. We are in no
// confederation, so its segments are errors too (RFC 5065 5).
std::string path_fault(std::span<const std::byte> value, bool as4) {
    wire::Reader in(value);
    while (in.ok() && in.remaining() > 0) {
        const std::uint8_t type = in.u8();
        const std::uint8_t count = in.u8();
        if (!in.ok()) {
            return "one octet is left after the last segment";
        }
        if (type != kAsSet && type != kAsSequence) {
            return "segment of type " + std::to_string(type) + ", want 1 or 2";
        }
        if (count == 0) {
            return "empty segment";
        }
        bool zero = false;
        for (unsigned i = 0; i < count; ++i) {
            const std::uint32_t asn = as4 ? in.u32() : in.u16();
            zero = zero || asn == 0;
        }
        if (!in.ok()) {
            return "segment of " + std::to_string(count) + " AS numbers overruns the attribute";
        }
        if (zero) {
            return "AS 0";
        }
    }
    return {};
}

Checked check_as_path(const RawAttribute& attribute, const UpdateContext& context) {
    const std::string fault = path_fault(attribute.value, context.as4);
    if (fault.empty()) {
        return std::nullopt;
    }
    auto finding =
        complain(attribute, Verdict::TreatAsWithdraw, UpdateError::MalformedAsPath, fault);
    finding->data = {};  // RFC 4271 6.3 names none for this subcode
    return finding;
}

// RFC 7606 7.3; what is no host address is wrong by RFC 4271 6.3.
Checked check_next_hop(const RawAttribute& attribute) {
    if (auto wrong = want_length(attribute, 4, Verdict::TreatAsWithdraw)) {
        return wrong;
    }
    wire::Reader in(attribute.value);
    const auto address = net::IpAddress::v4(in.u32());
    constexpr std::uint32_t kFirstReserved = 0xf0000000;  // 240.0.0.0
    const bool host = !address.is_unspecified() && !address.is_multicast() &&
                      address.v4_host_order() < kFirstReserved;
    if (host) {
        return std::nullopt;
    }
    return complain(
        attribute,
        Verdict::TreatAsWithdraw,
        UpdateError::InvalidNextHop,
        net::to_string(address) + " is no host address"
    );
}

// RFC 7606 7.7, RFC 7607 2.
Checked check_aggregator(const RawAttribute& attribute, const UpdateContext& context) {
    if (auto wrong = want_length(attribute, context.as4 ? 8 : 6, Verdict::Discard)) {
        return wrong;
    }
    wire::Reader in(attribute.value);
    const std::uint32_t asn = context.as4 ? in.u32() : in.u16();
    if (asn != 0) {
        return std::nullopt;
    }
    return complain(attribute, Verdict::Discard, UpdateError::OptionalAttributeError, "AS 0");
}

// RFC 6793 4.1 and 6: of no use between speakers of four-octet numbers, never worth a route.
Checked check_as4(const RawAttribute& attribute, const UpdateContext& context) {
    const auto discard = [&](const std::string& what) {
        return complain(attribute, Verdict::Discard, UpdateError::OptionalAttributeError, what);
    };
    if (context.as4) {
        return discard("from a speaker of four-octet AS numbers");
    }
    if (attribute.type == static_cast<std::uint8_t>(AttributeType::As4Path)) {
        const std::string fault = path_fault(attribute.value, true);
        return fault.empty() ? std::nullopt : discard(fault);
    }
    if (auto wrong = want_length(attribute, 8, Verdict::Discard)) {
        return wrong;
    }
    wire::Reader in(attribute.value);
    return in.u32() == 0 ? discard("AS 0") : std::nullopt;
}

// Those that an external neighbour may not send are dropped unread (RFC 7606 7.5, 7.9, 7.10).
bool is_internal_only(AttributeType type) {
    return type == AttributeType::LocalPref || type == AttributeType::OriginatorId ||
           type == AttributeType::ClusterList;
}

// RFC 7606 3 c; for these two 3 f.
Checked check_flags(const RawAttribute& attribute, const Known& known) {
    if ((attribute.flags & kClassFlags) == known.flags) {
        return std::nullopt;
    }
    const bool aggregate =
        known.type == AttributeType::AtomicAggregate || known.type == AttributeType::Aggregator;
    return complain(
        attribute,
        aggregate ? Verdict::Discard : Verdict::TreatAsWithdraw,
        UpdateError::AttributeFlagsError,
        "flags " + std::to_string(attribute.flags) + ", want optional and transitive bits " +
            std::to_string(known.flags)
    );
}

Checked check_known(
    const RawAttribute& attribute, AttributeType type, const UpdateContext& context
) {
    switch (type) {
        case AttributeType::Origin:
            return check_origin(attribute);
        case AttributeType::AsPath:
            return check_as_path(attribute, context);
        case AttributeType::NextHop:
            return check_next_hop(attribute);
        case AttributeType::MultiExitDisc:
        case AttributeType::LocalPref:
        case AttributeType::OriginatorId:
        case AttributeType::OnlyToCustomer:  // RFC 9234 5
            return want_length(attribute, 4, Verdict::TreatAsWithdraw);
        case AttributeType::AtomicAggregate:
            return want_length(attribute, 0, Verdict::Discard);
        case AttributeType::Aggregator:
            return check_aggregator(attribute, context);
        case AttributeType::Communities:
        case AttributeType::ClusterList:
            return want_elements(attribute, 4);
        case AttributeType::ExtendedCommunities:
            return want_elements(attribute, 8);
        case AttributeType::Ipv6ExtendedCommunities:
            return want_elements(attribute, 20);
        case AttributeType::LargeCommunities:
            return want_elements(attribute, 12);
        case AttributeType::As4Path:
        case AttributeType::As4Aggregator:
            return check_as4(attribute, context);
        case AttributeType::MpReach:
        case AttributeType::MpUnreach:
            break;  // update_mp.cpp
    }
    return std::nullopt;
}

}  // namespace

std::string attribute_name(std::uint8_t type) {
    const Known* known = find_known(type);
    return known != nullptr ? std::string(known->name) : "attribute " + std::to_string(type);
}

Checked check_attribute(const RawAttribute& attribute, const UpdateContext& context) {
    const Known* known = find_known(attribute.type);
    if (known == nullptr) {
        if ((attribute.flags & kFlagOptional) != 0) {
            return std::nullopt;
        }
        // RFC 4271 6.3, which RFC 7606 leaves as it is.
        return complain(
            attribute,
            Verdict::Reset,
            UpdateError::UnrecognizedWellKnownAttribute,
            "well-known, but not to us"
        );
    }
    if (!context.ibgp && is_internal_only(known->type)) {
        return complain(
            attribute,
            Verdict::Discard,
            UpdateError::OptionalAttributeError,
            "from an external neighbour"
        );
    }
    if (auto wrong = check_flags(attribute, *known)) {
        return wrong;
    }
    return check_known(attribute, known->type, context);
}

}  // namespace steelyard::bgp_wire
