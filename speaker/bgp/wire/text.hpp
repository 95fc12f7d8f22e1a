#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

// Text from outside, before it reaches a log, a status or an Event.
namespace steelyard::bgp_wire {

// Valid UTF-8 without control characters stays, everything else becomes \xNN; at most `longest`
// octets of the input are shown, "..." stands for the others.
[[nodiscard]] std::string printable(std::span<const std::byte> text, std::size_t longest);

// Octets of the well-formed UTF-8 sequence at the start of `text`; 0 when there is none (overlong
// forms, surrogates and what lies beyond U+10FFFF are not well-formed).
[[nodiscard]] std::size_t utf8_sequence(std::span<const std::byte> text);

// The longest prefix of at most `longest` octets that does not cut a character in two.
[[nodiscard]] std::string_view cut_utf8(std::string_view text, std::size_t longest);

}  // namespace steelyard::bgp_wire
