#pragma once

#include "speaker/bgp/rib/listener_testing.hpp"
#include "speaker/bgp/rib/rib_out.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// For tests: small plans, a session with a top-of-rack router, and a RibOut whose peers listen.
namespace steelyard::bgp_rib {

inline constexpr std::size_t kPerMessage = 810;  // /32s that share one AS and a next hop

inline SessionView session_of(std::string peer = "tor") {
    SessionView session;
    session.peer = std::move(peer);
    session.local_asn = 64'512;
    session.v4 = true;
    session.next_hop_v4 = net::IpAddress::v4(0xc0000201U);
    return session;
}

inline net::Prefix v4(std::uint32_t number) {
    return {net::IpAddress::v4(0x0a000000U + number), 32};
}

inline net::Prefix v6(std::uint64_t number) {
    return {net::IpAddress::parse("2001:db8::").value().plus(number), 128};
}

inline Attributes with_med(std::uint32_t med) {
    Attributes out;
    out.med = med;
    return out;
}

inline Changes announce(const net::Prefix& prefix, const Attributes& attributes = {}) {
    return {{{prefix, {{{}, attributes}}}}, {}};
}

inline Changes announce_many(std::uint32_t count, std::uint32_t sets = 1) {
    Changes out;
    for (std::uint32_t i = 0; i < count; ++i) {
        out.upsert.push_back({v4(i), {{{}, sets == 1 ? Attributes{} : with_med(i % sets)}}});
    }
    return out;
}

// A RibOut with listening peers.
struct Lab {
    Lab() { rib.release(); }

    std::size_t add(const SessionView& session) {
        ids.push_back(rib.add_peer(session));
        listeners.emplace_back(session);
        return ids.size() - 1;
    }
    // Bytes written.
    std::size_t write(std::size_t peer, std::size_t limit = 1U << 20U) {
        wire::Writer out;
        const std::size_t written = rib.write(ids[peer], out, limit);
        listeners[peer].read(out.view());
        return written;
    }
    void drain(std::size_t peer, std::size_t limit = 1U << 20U) {
        while (rib.pending(ids[peer])) {
            write(peer, limit);
        }
    }
    // As drain, unread, which is quicker: the messages only.
    std::size_t count_messages(std::size_t peer, std::size_t limit = 1U << 20U) {
        std::size_t messages = 0;
        while (rib.pending(ids[peer])) {
            wire::Writer out;
            rib.write(ids[peer], out, limit);
            messages += bgp_wire::split_messages(out.view()).size();
        }
        return messages;
    }

    RibOut rib;
    std::vector<PeerId> ids;
    std::vector<Listener> listeners;
};

}  // namespace steelyard::bgp_rib
