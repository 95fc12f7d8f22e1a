#include "common/wire/reader.hpp"
#include "speaker/bgp/wire/notification.hpp"

#include <array>

// The names of IANA's BGP error codes and subcodes.
namespace steelyard::bgp_wire {
namespace {

struct Subcode {
    std::uint8_t number = 0;
    std::string_view name;
};

constexpr std::array kHeader = {
    Subcode{1, "Connection Not Synchronized"},
    Subcode{2, "Bad Message Length"},
    Subcode{3, "Bad Message Type"}};

constexpr std::array kOpen = {
    Subcode{0, "Unspecific"},
    Subcode{1, "Unsupported Version Number"},
    Subcode{2, "Bad Peer AS"},
    Subcode{3, "Bad BGP Identifier"},
    Subcode{4, "Unsupported Optional Parameter"},
    Subcode{5, "Authentication Failure"},
    Subcode{6, "Unacceptable Hold Time"},
    Subcode{7, "Unsupported Capability"},
    Subcode{11, "Role Mismatch"}};

constexpr std::array kUpdate = {
    Subcode{0, "Unspecific"},
    Subcode{1, "Malformed Attribute List"},
    Subcode{2, "Unrecognized Well-known Attribute"},
    Subcode{3, "Missing Well-known Attribute"},
    Subcode{4, "Attribute Flags Error"},
    Subcode{5, "Attribute Length Error"},
    Subcode{6, "Invalid ORIGIN Attribute"},
    Subcode{7, "AS Routing Loop"},
    Subcode{8, "Invalid NEXT_HOP Attribute"},
    Subcode{9, "Optional Attribute Error"},
    Subcode{10, "Invalid Network Field"},
    Subcode{11, "Malformed AS_PATH"}};

constexpr std::array kFsm = {
    Subcode{0, "Unspecified Error"},
    Subcode{1, "Unexpected Message in OpenSent"},
    Subcode{2, "Unexpected Message in OpenConfirm"},
    Subcode{3, "Unexpected Message in Established"}};

constexpr std::array kCease = {
    Subcode{1, "Maximum Number of Prefixes Reached"},
    Subcode{2, "Administrative Shutdown"},
    Subcode{3, "Peer De-configured"},
    Subcode{4, "Administrative Reset"},
    Subcode{5, "Connection Rejected"},
    Subcode{6, "Other Configuration Change"},
    Subcode{7, "Connection Collision Resolution"},
    Subcode{8, "Out of Resources"},
    Subcode{9, "Hard Reset"},
    Subcode{10, "BFD Down"}};

constexpr std::array kRefresh = {Subcode{1, "Invalid Message Length"}};

struct Code {
    std::string_view name;
    std::span<const Subcode> subcodes;
};

Code describe(std::uint8_t code) {
    switch (static_cast<ErrorCode>(code)) {
        case ErrorCode::MessageHeader:
            return {"Message Header Error", kHeader};
        case ErrorCode::Open:
            return {"OPEN Message Error", kOpen};
        case ErrorCode::Update:
            return {"UPDATE Message Error", kUpdate};
        case ErrorCode::HoldTimerExpired:
            return {"Hold Timer Expired", {}};
        case ErrorCode::FiniteStateMachine:
            return {"Finite State Machine Error", kFsm};
        case ErrorCode::Cease:
            return {"Cease", kCease};
        case ErrorCode::RouteRefresh:
            return {"ROUTE-REFRESH Message Error", kRefresh};
        case ErrorCode::SendHoldTimerExpired:
            return {"Send Hold Timer Expired", {}};
    }
    return {};
}

std::string name_of(const Notification& notification) {
    const Code code = describe(notification.code);
    std::string out =
        code.name.empty() ? "code " + std::to_string(notification.code) : std::string(code.name);
    for (const Subcode& subcode : code.subcodes) {
        if (subcode.number == notification.subcode) {
            return out + "/" + std::string(subcode.name);
        }
    }
    if (notification.subcode != 0) {
        out += "/subcode " + std::to_string(notification.subcode);
    }
    return out;
}

// What the data of some errors adds for a reader.
std::string detail_of(const Notification& notification) {
    wire::Reader in(notification.data);
    if (is(notification, ErrorCode::MessageHeader)) {
        const auto error = static_cast<HeaderError>(notification.subcode);
        if (error == HeaderError::BadMessageLength && in.remaining() == 2) {
            return " (" + std::to_string(in.u16()) + ")";
        }
        if (error == HeaderError::BadMessageType && in.remaining() == 1) {
            return " (" + std::to_string(in.u8()) + ")";
        }
    }
    if (is(notification, ErrorCode::Open) && in.remaining() == 2 &&
        static_cast<OpenError>(notification.subcode) == OpenError::UnsupportedVersion) {
        return " (supported: " + std::to_string(in.u16()) + ")";
    }
    return {};
}

}  // namespace

std::string to_string(const Notification& notification) {
    std::string out = name_of(notification) + detail_of(notification);
    const std::string text = communication(notification);
    if (!text.empty()) {
        return out + ": " + text;
    }
    auto inner = encapsulated(notification);
    if (inner && is(*inner, Cease::HardReset)) {
        // One inside the other says nothing more, and its depth is the sender's choice.
        return out + " (Cease/Hard Reset)";
    }
    if (inner) {
        return out + " (" + to_string(*inner) + ")";
    }
    return out;
}

}  // namespace steelyard::bgp_wire
