#include "speaker/bgp/wire/open.hpp"

#include "common/base/check.hpp"
#include "common/wire/reader.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::bgp_wire {
namespace {

constexpr std::uint8_t kParameterCapabilities = 2;
constexpr std::uint8_t kExtendedFormat = 255;  // RFC 9072
constexpr std::uint16_t kMinHold = 3;

enum class Capability : std::uint8_t {
    Multiprotocol = 1,
    RouteRefresh = 2,
    ExtendedNextHop = 5,
    ExtendedMessage = 6,
    Role = 9,
    GracefulRestart = 64,
    FourOctetAs = 65,
    AddPath = 69,
    EnhancedRefresh = 70,
};

constexpr std::uint16_t kRestartFlag = 0x8000;
constexpr std::uint16_t kNotificationFlag = 0x4000;
constexpr std::uint16_t kRestartTime = 0x0fff;
constexpr std::uint8_t kForwardingFlag = 0x80;

// RFC 4271 6.2: a parameter that is recognised but malformed.
Notification malformed() {
    return make_notification(OpenError::Unspecific);
}

// Collects what the capabilities say; the first contradiction is the answer to the whole OPEN.
class CapabilityReader {
public:
    [[nodiscard]] std::optional<Notification> read(std::span<const std::byte> parameter) {
        wire::Reader in(parameter);
        while (in.ok() && in.remaining() > 0) {
            const std::uint8_t code = in.u8();
            const std::uint8_t length = in.u8();
            const auto value = in.bytes(length);
            if (!in.ok()) {
                return malformed();
            }
            if (auto refused = read_one(code, value)) {
                return refused;
            }
        }
        return std::nullopt;
    }
    [[nodiscard]] Capabilities take() { return std::move(out_); }

private:
    std::optional<Notification> read_one(std::uint8_t code, std::span<const std::byte> value) {
        wire::Reader in(value);
        switch (static_cast<Capability>(code)) {
            case Capability::Multiprotocol:
                multiprotocol(in);
                break;
            case Capability::RouteRefresh:
                out_.route_refresh = true;
                break;
            case Capability::ExtendedNextHop:
                extended_next_hop(in);
                break;
            case Capability::ExtendedMessage:
                out_.extended_message = true;
                break;
            case Capability::Role:
                return role(in);
            case Capability::GracefulRestart:
                graceful_restart(in);
                break;
            case Capability::FourOctetAs:
                out_.as4 = in.u32();
                break;
            case Capability::AddPath:
                add_path(in);
                return std::nullopt;  // nothing of it is used: not worth a session
            case Capability::EnhancedRefresh:
                out_.enhanced_refresh = true;
                break;
            default:
                unknown(code);
                return std::nullopt;
        }
        // A length that is not what the capability needs makes it malformed.
        return in.ok() && in.remaining() == 0 ? std::nullopt : std::optional(malformed());
    }

    void multiprotocol(wire::Reader& in) {
        const std::uint16_t afi = in.u16();
        in.skip(1);
        const auto family = unicast_family(afi, in.u8());
        out_.multiprotocol = true;
        out_.v4_unicast = out_.v4_unicast || family == net::Family::V4;
        out_.v6_unicast = out_.v6_unicast || family == net::Family::V6;
    }

    void extended_next_hop(wire::Reader& in) {
        while (in.ok() && in.remaining() > 0) {
            const std::uint16_t afi = in.u16();
            const std::uint16_t safi = in.u16();  // two octets here, RFC 8950 4
            const std::uint16_t next_hop_afi = in.u16();
            if (in.ok() && afi == kAfiV4 && safi == kSafiUnicast && next_hop_afi == kAfiV6) {
                out_.v4_over_v6 = true;
            }
        }
    }

    std::optional<Notification> role(wire::Reader& in) {
        const auto value = static_cast<Role>(in.u8());
        if (!in.ok() || in.remaining() > 0) {
            return malformed();
        }
        // RFC 9234 4.2: several are fine as long as they agree.
        if (out_.role && *out_.role != value) {
            return make_notification(OpenError::RoleMismatch);
        }
        out_.role = value;
        return std::nullopt;
    }

    // RFC 4724 3: of several instances the last counts.
    void graceful_restart(wire::Reader& in) {
        GracefulRestart restart;
        const std::uint16_t flags = in.u16();
        restart.restarting = (flags & kRestartFlag) != 0;
        restart.notification = (flags & kNotificationFlag) != 0;
        restart.restart_seconds = flags & kRestartTime;
        while (in.ok() && in.remaining() > 0) {
            const std::uint16_t afi = in.u16();
            const auto family = unicast_family(afi, in.u8());
            const bool forwarding = (in.u8() & kForwardingFlag) != 0;
            if (!in.ok() || !family) {
                continue;
            }
            const auto same = [&](const GracefulRestart::Entry& entry) {
                return entry.family == *family;
            };
            std::erase_if(restart.families, same);
            restart.families.push_back({*family, forwarding});
        }
        out_.graceful_restart = std::move(restart);
    }

    // RFC 7911 4: a direction other than 1 to 3 makes the entry as good as absent.
    void add_path(wire::Reader& in) {
        while (in.ok() && in.remaining() > 0) {
            const std::uint16_t afi = in.u16();
            const auto family = unicast_family(afi, in.u8());
            const std::uint8_t direction = in.u8();
            if (in.ok() && family && direction >= 1 && direction <= 3) {
                out_.add_path = true;
            }
        }
    }

    void unknown(std::uint8_t code) {
        if (std::find(out_.unknown.begin(), out_.unknown.end(), code) == out_.unknown.end()) {
            out_.unknown.push_back(code);
        }
    }

    Capabilities out_;
};

// The optional parameters and the width of their lengths: RFC 9072 2 where the first type is 255.
struct Parameters {
    std::span<const std::byte> bytes;
    bool extended = false;
};

std::optional<Parameters> find_parameters(wire::Reader& in) {
    const std::uint8_t length = in.u8();
    const auto rest = in.rest();
    if (!in.ok()) {
        return std::nullopt;
    }
    wire::Reader probe(rest);
    if (length != 0 && probe.u8() == kExtendedFormat) {
        const std::uint16_t extended_length = probe.u16();
        if (!probe.ok() || probe.remaining() != extended_length) {
            return std::nullopt;
        }
        return Parameters{probe.rest(), true};
    }
    if (rest.size() != length) {
        return std::nullopt;
    }
    return Parameters{rest, false};
}

Decoded<Capabilities> read_parameters(const Parameters& parameters) {
    CapabilityReader capabilities;
    wire::Reader in(parameters.bytes);
    while (in.ok() && in.remaining() > 0) {
        const std::uint8_t type = in.u8();
        const std::size_t length = parameters.extended ? in.u16() : in.u8();
        const auto value = in.bytes(length);
        if (!in.ok()) {
            return malformed();
        }
        if (type != kParameterCapabilities) {
            return make_notification(OpenError::UnsupportedOptionalParameter);
        }
        if (auto refused = capabilities.read(value)) {
            return std::move(*refused);
        }
    }
    return capabilities.take();
}

// RFC 6793 4.1 and RFC 7607 2: a number that says who the peer is.
bool names_an_as(std::uint16_t field, const std::optional<std::uint32_t>& as4) {
    if (as4) {
        return *as4 != 0 && field != 0;
    }
    return field != 0 && field != kAsTrans;
}

void encode_capability(
    wire::Writer& out, Capability capability, std::span<const std::byte> value = {}
) {
    SY_CHECK(value.size() <= 0xff, "capability longer than its length field");
    out.u8(static_cast<std::uint8_t>(capability));
    out.u8(static_cast<std::uint8_t>(value.size()));
    out.bytes(value);
}

void encode_multiprotocol(wire::Writer& out, net::Family family) {
    wire::Writer value;
    value.u16(afi(family));
    value.u8(0);
    value.u8(kSafiUnicast);
    encode_capability(out, Capability::Multiprotocol, value.view());
}

void encode_graceful_restart(wire::Writer& out, const GracefulRestart& restart) {
    wire::Writer value;
    const unsigned flags = (restart.restarting ? kRestartFlag : 0U) |
                           (restart.notification ? kNotificationFlag : 0U) |
                           std::min<unsigned>(restart.restart_seconds, kRestartTime);
    value.u16(static_cast<std::uint16_t>(flags));
    for (const GracefulRestart::Entry& entry : restart.families) {
        value.u16(afi(entry.family));
        value.u8(kSafiUnicast);
        value.u8(entry.forwarding ? kForwardingFlag : 0);
    }
    encode_capability(out, Capability::GracefulRestart, value.view());
}

wire::Bytes encode_capabilities(const Capabilities& capabilities) {
    wire::Writer out;
    if (capabilities.v4_unicast) {
        encode_multiprotocol(out, net::Family::V4);
    }
    if (capabilities.v6_unicast) {
        encode_multiprotocol(out, net::Family::V6);
    }
    if (capabilities.route_refresh) {
        encode_capability(out, Capability::RouteRefresh);
    }
    if (capabilities.v4_over_v6) {
        wire::Writer value;
        value.u16(kAfiV4);
        value.u16(kSafiUnicast);
        value.u16(kAfiV6);
        encode_capability(out, Capability::ExtendedNextHop, value.view());
    }
    if (capabilities.extended_message) {
        encode_capability(out, Capability::ExtendedMessage);
    }
    if (capabilities.role) {
        const auto role = static_cast<std::byte>(*capabilities.role);
        encode_capability(out, Capability::Role, std::span(&role, 1));
    }
    if (capabilities.graceful_restart) {
        encode_graceful_restart(out, *capabilities.graceful_restart);
    }
    if (capabilities.as4) {
        wire::Writer value;
        value.u32(*capabilities.as4);
        encode_capability(out, Capability::FourOctetAs, value.view());
    }
    if (capabilities.enhanced_refresh) {
        encode_capability(out, Capability::EnhancedRefresh);
    }
    return out.take();
}

// One parameter with every capability, in whichever format holds it.
void encode_parameters(wire::Writer& out, std::span<const std::byte> capabilities) {
    if (capabilities.empty()) {
        out.u8(0);
        return;
    }
    const std::size_t classic = 2 + capabilities.size();
    if (classic < kExtendedFormat) {
        out.u8(static_cast<std::uint8_t>(classic));
        out.u8(kParameterCapabilities);
        out.u8(static_cast<std::uint8_t>(capabilities.size()));
    } else {
        out.u8(kExtendedFormat);
        out.u8(kExtendedFormat);
        out.u16(static_cast<std::uint16_t>(3 + capabilities.size()));
        out.u8(kParameterCapabilities);
        out.u16(static_cast<std::uint16_t>(capabilities.size()));
    }
    out.bytes(capabilities);
}

}  // namespace

bool Capabilities::carries(net::Family family) const {
    if (!multiprotocol) {
        return family == net::Family::V4;
    }
    return family == net::Family::V4 ? v4_unicast : v6_unicast;
}

Decoded<Open> decode_open(std::span<const std::byte> body) {
    wire::Reader in(body);
    Open open;
    open.version = in.u8();
    if (in.ok() && open.version != 4) {
        // The data is the highest version that we do speak.
        return make_notification(OpenError::UnsupportedVersion, {std::byte{0}, std::byte{4}});
    }
    const std::uint16_t field = in.u16();
    open.hold_seconds = in.u16();
    open.router_id = in.u32();
    const auto parameters = find_parameters(in);
    if (!parameters) {
        return malformed();
    }
    auto capabilities = read_parameters(*parameters);
    if (auto* refused = std::get_if<Notification>(&capabilities)) {
        return std::move(*refused);
    }
    open.capabilities = std::get<Capabilities>(std::move(capabilities));
    if (!names_an_as(field, open.capabilities.as4)) {
        return make_notification(OpenError::BadPeerAs);
    }
    open.asn = open.capabilities.as4.value_or(field);
    if (open.hold_seconds != 0 && open.hold_seconds < kMinHold) {
        return make_notification(OpenError::UnacceptableHoldTime);
    }
    if (open.router_id == 0) {
        return make_notification(OpenError::BadBgpIdentifier);
    }
    return open;
}

void encode_open(wire::Writer& out, const Open& open) {
    const std::size_t start = begin_message(out, MessageType::Open);
    out.u8(open.version);
    out.u16(static_cast<std::uint16_t>(open.asn > 0xffff ? kAsTrans : open.asn));
    out.u16(open.hold_seconds);
    out.u32(open.router_id);
    encode_parameters(out, encode_capabilities(open.capabilities));
    end_message(out, start);
}

}  // namespace steelyard::bgp_wire
