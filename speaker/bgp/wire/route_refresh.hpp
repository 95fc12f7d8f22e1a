#pragma once

#include "common/net/ip.hpp"
#include "speaker/bgp/wire/notification.hpp"

#include <cstdint>
#include <optional>
#include <span>

// ROUTE-REFRESH (RFC 2918) with the begin and end marks of RFC 7313.
namespace steelyard::bgp_wire {

struct RouteRefresh {
    enum class Kind : std::uint8_t { Request = 0, Begin = 1, End = 2 };
    net::Family family = net::Family::V4;
    Kind kind = Kind::Request;
    friend bool operator==(const RouteRefresh&, const RouteRefresh&) = default;
};

// Nothing when it is to be ignored: another AFI/SAFI, an unknown kind. Filters that follow a
// request (RFC 5291, never negotiated) are skipped.
[[nodiscard]] Decoded<std::optional<RouteRefresh>> decode_route_refresh(
    std::span<const std::byte> body
);
void encode_route_refresh(wire::Writer& out, const RouteRefresh& refresh);

}  // namespace steelyard::bgp_wire
