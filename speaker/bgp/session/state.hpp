#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace steelyard::bgp {

// RFC 4271 8.2.2. A peer with two connections is in the state of the one that got further.
enum class State : std::uint8_t { Idle, Connect, Active, OpenSent, OpenConfirm, Established };
[[nodiscard]] std::string_view to_string(State state);  // "OpenSent"

// What BFD says of the neighbour. Only Up followed by Down is a failure: AdminDown is a decision,
// and a session that never was up says nothing.
enum class BfdState : std::uint8_t { None, AdminDown, Down, Init, Up };
[[nodiscard]] std::string_view to_string(BfdState state);  // "N/A", "AdminDown", "Down", ...

// One TCP connection of one Peer; never used twice by it. Events about any other are ignored.
enum class ConnectionId : std::uint32_t {};

}  // namespace steelyard::bgp
