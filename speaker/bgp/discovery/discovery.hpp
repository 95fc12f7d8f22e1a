#pragma once

#include "common/base/rng.hpp"
#include "common/base/time.hpp"
#include "common/net/ip.hpp"
#include "common/net/mac.hpp"
#include "speaker/bgp/discovery/router_message.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

// Finds the router at the other end of one interface by router advertisements, and lets itself be
// found by the same means, so that a BGP session can run between two link-local addresses nobody
// configured ("unnumbered", as FRR does it with RFC 4861). Sans I/O: packets and time in, packets
// out. Meant for a link with one router; of several, the one heard last is taken, but not another
// one each moment, until a session with it stands.
namespace steelyard::bgp_discovery {

struct Packet {
    net::IpAddress destination;  // a group of the link; sent with hop limit 255
    wire::Bytes bytes;
};

struct Counters {
    std::uint64_t solicitations_in = 0;
    std::uint64_t advertisements_in = 0;
    std::uint64_t sent = 0;
    std::array<std::uint64_t, kRefusals> refused{};  // by Refusal
};

class Discovery {
public:
    // Our own link-local addresses and MAC on the interface: what comes from them is our echo.
    struct Link {
        std::optional<net::MacAddress> mac;
        std::vector<net::IpAddress> own;
        friend bool operator==(const Link&, const Link&) = default;
    };

    Discovery(Link link, Rng rng, Instant now);

    void set_link(Link link);
    // True when the neighbour became known or another one.
    bool on_packet(
        std::span<const std::byte> message, const net::IpAddress& source, int hop_limit, Instant now
    );
    // A router called from here before it was heard. Without effect once one is known.
    void meet(const net::IpAddress& address);
    // While a session with the neighbour stands, another router does not take its place.
    void set_in_use(bool in_use) { in_use_ = in_use; }
    // Packets due; safe to call early or late.
    void on_deadline(Instant now, std::vector<Packet>& out);
    [[nodiscard]] Instant next_deadline() const { return advertise_at_; }
    [[nodiscard]] const std::optional<net::IpAddress>& neighbour() const { return neighbour_; }
    [[nodiscard]] const Counters& counters() const { return counters_; }

private:
    void advertise_soon(Instant now);

    Link link_;
    Rng rng_;
    std::optional<net::IpAddress> neighbour_;
    std::optional<Instant> chosen_at_;
    bool in_use_ = false;
    Instant advertise_at_;
    std::optional<Instant> advertised_;
    int solicitations_left_;
    Counters counters_;
};

}  // namespace steelyard::bgp_discovery
