#include "speaker/io/bgp/link.hpp"

#include "speaker/bgp/wire/message.hpp"

#include <algorithm>

namespace steelyard::io {
namespace {

std::size_t message_length(std::span<const std::byte> bytes, std::size_t at) {
    const auto high = std::to_integer<std::size_t>(bytes[at + 16]);
    const auto low = std::to_integer<std::size_t>(bytes[at + 17]);
    return std::max(high << 8U | low, bgp_wire::kHeaderSize);
}

}  // namespace

void drop_routes(Link& link) {
    std::size_t at = 0;
    while (at < link.written && at < link.routes_end) {
        at += message_length(link.out, at);
    }
    if (at < link.routes_end) {
        const auto begin = link.out.begin();
        link.out.erase(
            begin + static_cast<std::ptrdiff_t>(at),
            begin + static_cast<std::ptrdiff_t>(link.routes_end)
        );
        link.routes_end = at;
    }
}

}  // namespace steelyard::io
