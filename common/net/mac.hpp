#pragma once

#include "common/base/error.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

// A 48-bit Ethernet address, written as six lower-case hex pairs.
namespace steelyard::net {

struct MacAddress {
    std::array<std::uint8_t, 6> bytes{};

    static MacAddress broadcast();
    static Result<MacAddress> parse(std::string_view text);
    friend auto operator<=>(const MacAddress&, const MacAddress&) = default;
};

[[nodiscard]] std::string to_string(const MacAddress& mac);

}  // namespace steelyard::net
