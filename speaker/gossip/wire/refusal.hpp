#pragma once

#include "common/base/error.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

// Why gossip input was dropped, as a value that can be counted. A refusal travels as the code of an
// Error whose context is the line for people; input that is refused never changes any state.
namespace steelyard::gossip_wire {

enum class Refusal : std::uint8_t {
    Malformed,    // cut off, lying about its lengths, or of the wrong type
    Label,        // another cluster's label
    WrongKey,     // sealed with a key we do not have, changed on the way, or not sealed
    Checksum,     // CRC does not match
    Compression,  // not LZW
    Oversized,    // beyond a limit as it is, or once decompressed
    Version,      // speaks no protocol version that we do
    Replay,       // these very bytes arrived before
    Limit,        // too many members or streams already
    Conflict,     // another node uses a member's name
};
inline constexpr std::array kRefusals = {
    Refusal::Malformed,
    Refusal::Label,
    Refusal::WrongKey,
    Refusal::Checksum,
    Refusal::Compression,
    Refusal::Oversized,
    Refusal::Version,
    Refusal::Replay,
    Refusal::Limit,
    Refusal::Conflict};
[[nodiscard]] std::string_view to_string(Refusal refusal);  // "malformed"; a metric's label value

[[nodiscard]] Error make_error(Refusal refusal, std::string context);
// What an Error of this room says; Malformed for any other.
[[nodiscard]] Refusal refusal_of(const Error& error);

}  // namespace steelyard::gossip_wire
