#pragma once

#include "common/wire/writer.hpp"

#include <span>
#include <string>
#include <string_view>

// For the tests of every room that reads or writes bytes: bytes as hex digits or as text.
namespace steelyard::wire {

// Lower-case digits; blanks are allowed anywhere. A last odd digit is left out.
inline Bytes from_hex(std::string_view hex) {
    const auto digit = [](char c) {
        return c <= '9' ? c - '0' : c - 'a' + 10;
    };
    std::string dense;
    for (const char c : hex) {
        if (c != ' ') {
            dense += c;
        }
    }
    Bytes out;
    for (std::size_t i = 0; i + 1 < dense.size(); i += 2) {
        out.push_back(static_cast<std::byte>(digit(dense[i]) * 16 + digit(dense[i + 1])));
    }
    return out;
}

inline std::string to_hex(std::span<const std::byte> bytes) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const std::byte byte : bytes) {
        const auto value = std::to_integer<unsigned>(byte);
        out += kDigits[value >> 4U];
        out += kDigits[value & 0xfU];
    }
    return out;
}

inline Bytes bytes_of(std::string_view text) {
    const auto raw = std::as_bytes(std::span(text));
    return {raw.begin(), raw.end()};
}

}  // namespace steelyard::wire
