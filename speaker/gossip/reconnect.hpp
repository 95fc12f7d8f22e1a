#pragma once

#include "common/base/rng.hpp"
#include "common/base/time.hpp"
#include "common/net/ip.hpp"
#include "speaker/gossip/member_table.hpp"

#include <cstdint>
#include <optional>
#include <vector>

// Finds the way back to members that are missing: known peers that are not live, members that were
// declared dead, and first of all suspects, who refute the sooner they hear of it. One of them is
// tried in each interval, by a ping that costs two packets while nobody answers; who answers gets
// an exchange of state. So a partition is healed within about an interval, even after gossip has
// forgotten the other side, and what it costs meanwhile does not depend on how many are missing.
namespace steelyard::gossip {

class Reconnect {
public:
    Reconnect(Duration interval, const net::Endpoint& self) : interval_(interval), self_(self) {}

    // Where members are supposed to be, whether or not they are now.
    void set_peers(std::vector<net::Endpoint> peers, Instant now);
    // Somebody joined, moved or was lost.
    void members_changed(Instant now, Rng& rng);
    void stop();

    struct Orders {
        std::optional<net::Endpoint> ping;  // report its sequence number by pinged()
        std::vector<net::Endpoint> join;    // exchange state with these
    };
    Orders due(const MemberTable& table, Instant now, Rng& rng);
    void pinged(std::uint32_t seq, const net::Endpoint& to, Instant now);
    // True when this answers one of our pings.
    bool on_ack(std::uint32_t seq, std::size_t members, Instant now, Rng& rng);
    [[nodiscard]] std::optional<Instant> next() const;

private:
    struct Pinged {
        std::uint32_t seq = 0;
        net::Endpoint to;
        Instant expires;
    };
    struct Join {
        Instant at;
        net::Endpoint to;
    };
    void look(const MemberTable& table, Rng& rng);
    // Between two tries of one member, for all together to keep to their rate.
    [[nodiscard]] static Duration share(std::size_t members, std::size_t missing);
    [[nodiscard]] Duration pause(std::size_t members, std::size_t missing, Rng& rng) const;

    Duration interval_;
    net::Endpoint self_;
    std::vector<net::Endpoint> peers_;
    std::vector<net::Endpoint> round_;  // missing ones still to be tried, in random order
    std::size_t missing_ = 0;
    bool stale_ = false;  // round_ is to be made anew
    bool alone_ = false;  // nobody else was live when it was made
    bool idle_ = true;    // nobody was missing when we last looked
    std::optional<Instant> next_;
    unsigned attempts_ = 0;
    std::vector<Pinged> pinged_;
    std::vector<Join> joins_;
};

}  // namespace steelyard::gossip
