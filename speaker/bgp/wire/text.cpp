#include "speaker/bgp/wire/text.hpp"

#include <algorithm>
#include <cstdint>

namespace steelyard::bgp_wire {
namespace {

std::uint32_t value_of(std::byte byte) {
    return std::to_integer<std::uint32_t>(byte);
}

// The length its first octet claims, and the least code point that needs this length.
struct Shape {
    std::size_t length = 0;
    std::uint32_t bits = 0;
    std::uint32_t least = 0;
};

Shape shape_of(std::uint32_t first) {
    if (first < 0x80U) {
        return {1, first, 0};
    }
    if ((first & 0xe0U) == 0xc0U) {
        return {2, first & 0x1fU, 0x80};
    }
    if ((first & 0xf0U) == 0xe0U) {
        return {3, first & 0x0fU, 0x800};
    }
    if ((first & 0xf8U) == 0xf0U) {
        return {4, first & 0x07U, 0x10000};
    }
    return {};
}

// The code point at the start of `text` and its length; length 0 when it is not well-formed.
struct CodePoint {
    std::uint32_t value = 0;
    std::size_t length = 0;
};

CodePoint code_point(std::span<const std::byte> text) {
    if (text.empty()) {
        return {};
    }
    const Shape shape = shape_of(value_of(text[0]));
    if (shape.length == 0 || shape.length > text.size()) {
        return {};
    }
    std::uint32_t value = shape.bits;
    for (const std::byte byte : text.subspan(1, shape.length - 1)) {
        if ((value_of(byte) & 0xc0U) != 0x80U) {
            return {};
        }
        value = value << 6U | (value_of(byte) & 0x3fU);
    }
    const bool surrogate = value >= 0xd800U && value <= 0xdfffU;
    if (value < shape.least || value > 0x10ffffU || surrogate) {
        return {};
    }
    return {value, shape.length};
}

// Controls of ASCII and Latin-1, line separators, and marks that turn the direction of writing:
// each could make a log line look like something else.
bool is_control(std::uint32_t point) {
    return point < 0x20U || (point >= 0x7fU && point < 0xa0U) ||
           (point >= 0x200eU && point <= 0x200fU) || (point >= 0x2028U && point <= 0x202eU) ||
           (point >= 0x2066U && point <= 0x2069U) || point == 0x061cU || point == 0xfeffU;
}

void escape(std::string& out, std::byte byte) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    out += "\\x";
    out += kDigits[value_of(byte) >> 4U];
    out += kDigits[value_of(byte) & 0xfU];
}

}  // namespace

std::size_t utf8_sequence(std::span<const std::byte> text) {
    return code_point(text).length;
}

std::string printable(std::span<const std::byte> text, std::size_t longest) {
    std::string out;
    std::size_t at = 0;
    while (at < text.size()) {
        const CodePoint point = code_point(text.subspan(at));
        const std::size_t step = std::max<std::size_t>(point.length, 1);
        if (at + step > longest) {
            return out + "...";
        }
        const bool plain = point.length > 0 && !is_control(point.value);
        for (const std::byte byte : text.subspan(at, step)) {
            if (plain) {
                out += std::to_integer<char>(byte);
            } else {
                escape(out, byte);
            }
        }
        at += step;
    }
    return out;
}

std::string_view cut_utf8(std::string_view text, std::size_t longest) {
    if (text.size() <= longest) {
        return text;
    }
    std::size_t end = longest;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
        --end;
    }
    return text.substr(0, end);
}

}  // namespace steelyard::bgp_wire
