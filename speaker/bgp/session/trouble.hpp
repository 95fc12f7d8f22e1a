#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace steelyard::bgp {

// Why a peer is not established, in one sentence for status, Event and log. What looks the same
// from here is said with all its possible causes.
struct Trouble {
    enum class Kind : std::uint8_t {
        NoAddress,             // unnumbered, and no router advertisement heard yet
        Unreachable,           // no answer, no route, or nothing heard once connected
        NoCall,                // of a passive peer
        Refused,               // TCP reset
        Local,                 // a fault of ours: the source address is not on this node, ...
        ClosedEarly,           // TCP closed before the session was up
        WrongAs,               // the peer's AS is not the configured one
        OpenRejected,          // something else in its OPEN
        NoCommonFamily,        //
        RoleMismatch,          // RFC 9234
        NotificationReceived,  // it ended the session and said why
        ProtocolError,         // we ended it for what it sent
        HoldTimerExpired,      // nothing heard
        SendHoldTimerExpired,  // it does not read (RFC 9687)
        ConnectionLost,        // an established session's TCP ended
        BfdDown,               //
        Stopped,               // by us
    };
    Kind kind = Kind::Unreachable;
    std::string text;
    friend bool operator==(const Trouble&, const Trouble&) = default;
};
[[nodiscard]] std::string_view to_string(Trouble::Kind kind);  // "WrongAS", for status reasons

}  // namespace steelyard::bgp
