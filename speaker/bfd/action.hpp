#pragma once

#include "common/base/time.hpp"
#include "speaker/bfd/echo.hpp"
#include "speaker/bfd/packet.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

// What the cores want done, in this order. A session is named by our discriminator for it, which is
// never used again for another.
namespace steelyard::bfd {

enum class SessionId : std::uint32_t {};

// Needs sockets from now on; its config is the table's to tell.
struct Opened {
    SessionId session{};
};
struct SendControl {
    SessionId session{};
    PacketBytes bytes{};
};
struct SendEcho {
    SessionId session{};
    EchoBytes bytes{};
};
// The state as clients see it (SessionStatus::state) changed for one of the session's keys.
struct Changed {
    std::string key;
    State state = State::Down;
    Diagnostic diagnostic = Diagnostic::None;
    Instant when;
};
// Its sockets can go.
struct Closed {
    SessionId session{};
};

using Action = std::variant<Opened, SendControl, SendEcho, Changed, Closed>;
using Actions = std::vector<Action>;

}  // namespace steelyard::bfd
