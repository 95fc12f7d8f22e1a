#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Communities as values and as text. The text is MetalLB's, "64512:100" (RFC 1997) and
// "large:64512:1:100" (RFC 8092), and ours: "extended:rt:64512:100" and "extended:soo:192.0.2.1:7"
// (RFC 4360, 5668) and the registered names such as no-export.
namespace steelyard::config {

struct LargeCommunity {
    std::uint32_t global = 0;
    std::uint32_t data1 = 0;
    std::uint32_t data2 = 0;
    friend auto operator<=>(const LargeCommunity&, const LargeCommunity&) = default;
};

// As on the wire: type, subtype, six bytes of value.
struct ExtendedCommunity {
    std::array<std::uint8_t, 8> bytes{};
    friend auto operator<=>(const ExtendedCommunity&, const ExtendedCommunity&) = default;
};

// Each list sorted, nothing twice.
struct Communities {
    std::vector<std::uint32_t> standard;
    std::vector<LargeCommunity> large;
    std::vector<ExtendedCommunity> extended;

    [[nodiscard]] bool empty() const {
        return standard.empty() && large.empty() && extended.empty();
    }
    // The union, sorted again.
    void merge(const Communities& other);
    friend auto operator<=>(const Communities&, const Communities&) = default;
};

// One community: in the result exactly one list has exactly one item. nullopt for other text.
[[nodiscard]] std::optional<Communities> parse_community(std::string_view text);
// The text that parses to a value parse_community() made; a registered name where there is one.
[[nodiscard]] std::string format_community(std::uint32_t standard);
[[nodiscard]] std::string format_community(const LargeCommunity& large);
[[nodiscard]] std::string format_community(const ExtendedCommunity& extended);

}  // namespace steelyard::config
