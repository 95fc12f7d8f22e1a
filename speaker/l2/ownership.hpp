#pragma once

#include "common/base/time.hpp"
#include "speaker/l2/announcements.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

// Which addresses are answered for at this moment, port by port. Announcements say what should be;
// this remembers what has been: a Yield goes on only for what was announced before, ends on a port
// as soon as another node claims the address there (or did shortly before, being quicker to know),
// and everywhere after kYieldTime. The other way round, what is taken over from a live node is not
// answered for before our claim was sent, or kYieldTime has passed: one of the two answers, never
// both. Who was silent for want of a lease yields nothing: what it lost
// meanwhile has long been claimed, unheard.
namespace steelyard::l2 {

inline constexpr Duration kYieldTime = std::chrono::seconds(2);
// How long before a Yield its new owner's claim counts.
inline constexpr Duration kClaimTime = std::chrono::seconds(2);
// After we took an address over, the old owner may not know yet: its claims are no conflict.
inline constexpr Duration kTakeoverTime = std::chrono::seconds(2);

class Ownership {
public:
    Ownership();

    void set_ports(std::vector<Port> ports) { ports_ = std::move(ports); }
    // `answering`: there is a lease.
    void set_announcements(
        std::shared_ptr<const Announcements> announcements, Instant now, bool answering = true
    );
    // Everything announced counts as taken over now.
    void retake(Instant now);
    // There is a lease again: no yield goes on, and none begins in the next kYieldTime.
    void resume(Instant now);

    // Our first claim of the address is out: from now on it is answered for.
    void on_claimed(const net::IpAddress& address);
    // Addresses that wait for that.
    [[nodiscard]] const std::unordered_set<net::IpAddress>& relieving() const { return relieving_; }
    // Whether it is only to be answered for once our claim is out.
    [[nodiscard]] bool is_relieving(const net::IpAddress& address) const {
        return relieving_.contains(address);
    }

    // The announcement when the address is ours on this port, answered for already or about to be
    // (is_relieving()), else null.
    [[nodiscard]] const Announcement* find(const net::IpAddress& address, const Port& port) const;
    [[nodiscard]] bool is_answered(const net::IpAddress& address) const {
        return held_.contains(address);
    }

    enum class Claim : std::uint8_t {
        NotOurs,
        Yielded,  // what we waited for
        Settling,
        Conflict
    };
    // Another station claims the address on this port.
    Claim on_claim(const net::IpAddress& address, const Port& port, Instant now);

    // Ends yields, and waits for our own claim, whose time is up.
    void expire(Instant now);
    // When the next one is, or earlier.
    [[nodiscard]] std::optional<Instant> next_deadline() const { return next_expiry_; }
    [[nodiscard]] std::size_t yielding() const { return yielding_; }

    [[nodiscard]] const std::vector<Port>& ports() const { return ports_; }
    [[nodiscard]] const Port* port(unsigned interface_index) const;
    [[nodiscard]] const Announcements& announcements() const { return *announcements_; }
    // What is answered for on this port, sorted; with `echo`, only what also answers pings.
    [[nodiscard]] std::vector<net::IpAddress> answered(const Port& port, bool echo) const;

private:
    struct Held {
        const Announcement* announcement;  // in *announcements_
        Role role;
        Instant since;                                     // taken over, or began to yield
        std::vector<unsigned> given_up_on;                 // ports where the new owner was heard
        std::vector<std::pair<unsigned, Instant>> claims;  // while we announce: last by port
    };
    static void begin_yield(Held& held, Instant now);
    void take(const net::IpAddress& address, const Announcement& announcement, Instant now);
    [[nodiscard]] bool is_held_anywhere(const net::IpAddress& address, const Held& held) const;
    void count_yielding();
    void find_next_expiry();
    [[nodiscard]] bool is_held(const net::IpAddress& address, const Held& held, const Port& port)
        const;

    std::vector<Port> ports_;
    std::shared_ptr<const Announcements> announcements_;
    std::unordered_map<net::IpAddress, Held> held_;
    std::unordered_set<net::IpAddress> relieving_;
    std::size_t yielding_ = 0;
    std::optional<Instant> next_expiry_;
    std::optional<Instant> resumed_;
};

}  // namespace steelyard::l2
