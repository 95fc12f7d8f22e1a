#pragma once

#include "speaker/bgp/wire/attributes.hpp"
#include "speaker/bgp/wire/notification.hpp"
#include "speaker/bgp/wire/update.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

// The pieces of decode_update: what RFC 7606 (sections 3 to 7) and the documents of later
// attributes say about one attribute, one field of prefixes, one multiprotocol attribute. No state;
// update.cpp puts the answers together.
namespace steelyard::bgp_wire {

// One path attribute as found. Views into the message.
struct RawAttribute {
    std::uint8_t flags = 0;
    std::uint8_t type = 0;
    std::span<const std::byte> value;
    std::span<const std::byte> whole;  // flags, type, length and value: the data of error reports
    bool overruns = false;  // claims more than the attributes' total; value is what there is
};

// Something wrong. Error and data make the NOTIFICATION, should it come to a reset.
struct Finding {
    Verdict verdict = Verdict::Accept;
    UpdateError error = UpdateError::Unspecific;
    std::span<const std::byte> data;
    std::string why;
};

// "ORIGIN"; "attribute 99" where this room has no name.
[[nodiscard]] std::string attribute_name(std::uint8_t type);

// Any attribute other than MP_REACH_NLRI and MP_UNREACH_NLRI.
[[nodiscard]] std::optional<Finding> check_attribute(
    const RawAttribute& attribute, const UpdateContext& context
);

// How many prefixes the field holds; nothing when it is syntactically incorrect (5.3).
[[nodiscard]] std::optional<std::uint32_t> count_prefixes(
    std::span<const std::byte> field, net::Family family
);

struct MpRoutes {
    std::optional<net::Family> family;  // negotiated, whatever else is wrong
    std::uint32_t routes = 0;
    bool has_nlri = false;  // octets of NLRI, or what may be some
    std::optional<Finding> finding;
};
[[nodiscard]] MpRoutes read_mp_reach(const RawAttribute& attribute, const UpdateContext& context);
[[nodiscard]] MpRoutes read_mp_unreach(const RawAttribute& attribute, const UpdateContext& context);

}  // namespace steelyard::bgp_wire
