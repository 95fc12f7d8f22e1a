#include "speaker/bgp/session/state.hpp"
#include "speaker/bgp/session/timing.hpp"
#include "speaker/bgp/session/trouble.hpp"

namespace steelyard::bgp {

std::string seconds_text(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) +
           " s";
}

std::string_view to_string(State state) {
    switch (state) {
        case State::Idle:
            return "Idle";
        case State::Connect:
            return "Connect";
        case State::Active:
            return "Active";
        case State::OpenSent:
            return "OpenSent";
        case State::OpenConfirm:
            return "OpenConfirm";
        case State::Established:
            return "Established";
    }
    return "";
}

std::string_view to_string(BfdState state) {
    switch (state) {
        case BfdState::None:
            return "N/A";
        case BfdState::AdminDown:
            return "AdminDown";
        case BfdState::Down:
            return "Down";
        case BfdState::Init:
            return "Init";
        case BfdState::Up:
            return "Up";
    }
    return "";
}

std::string_view to_string(Trouble::Kind kind) {
    switch (kind) {
        case Trouble::Kind::NoAddress:
            return "NoAddress";
        case Trouble::Kind::Unreachable:
            return "Unreachable";
        case Trouble::Kind::NoCall:
            return "NoCall";
        case Trouble::Kind::Refused:
            return "Refused";
        case Trouble::Kind::Local:
            return "LocalFault";
        case Trouble::Kind::ClosedEarly:
            return "ClosedEarly";
        case Trouble::Kind::WrongAs:
            return "WrongAS";
        case Trouble::Kind::OpenRejected:
            return "OpenRejected";
        case Trouble::Kind::NoCommonFamily:
            return "NoCommonFamily";
        case Trouble::Kind::RoleMismatch:
            return "RoleMismatch";
        case Trouble::Kind::NotificationReceived:
            return "NotificationReceived";
        case Trouble::Kind::ProtocolError:
            return "ProtocolError";
        case Trouble::Kind::HoldTimerExpired:
            return "HoldTimerExpired";
        case Trouble::Kind::SendHoldTimerExpired:
            return "SendHoldTimerExpired";
        case Trouble::Kind::ConnectionLost:
            return "ConnectionLost";
        case Trouble::Kind::BfdDown:
            return "BFDDown";
        case Trouble::Kind::Stopped:
            return "Stopped";
    }
    return "";
}

}  // namespace steelyard::bgp
