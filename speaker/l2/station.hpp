#pragma once

#include "common/base/rng.hpp"
#include "common/base/time.hpp"
#include "speaker/l2/action.hpp"
#include "speaker/l2/announcements.hpp"
#include "speaker/l2/announcer.hpp"
#include "speaker/l2/drop.hpp"
#include "speaker/l2/echo.hpp"
#include "speaker/l2/ownership.hpp"
#include "speaker/l2/pace.hpp"
#include "speaker/l2/responder.hpp"

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

// Layer 2 of this node as one state machine: received frames, what is announced, the ports, the
// lease and the time go in; frames to send and conflicts to report come out. It joins the pieces:
// what is answered for (ownership.hpp), the answers (responder.hpp, echo.hpp), the schedule of
// gratuitous packets (announcer.hpp).
//
// Conflicts follow RFC 5227 2.4 (c): a foreign claim of an address we announce is met by one packet
// that claims it back, at most every ten seconds an address and within the port's pace, and is
// reported. It is judged a second later: the claimant may be the new owner, who learned of the move
// before us, and then we yield or release the address meanwhile. We never give an address up over
// it: the election decides who owns what. No frame changes what we own.
namespace steelyard::l2 {

class Station {
public:
    // `rng` must outlive it.
    Station(const AnnouncerOptions& options, Rng& rng);
    Station(const Station&) = delete;  // its parts refer to each other
    Station& operator=(const Station&) = delete;

    void set_ports(std::vector<Port> ports, Instant now);
    void set_announcements(std::shared_ptr<const Announcements> announcements, Instant now);
    // Until when this node may answer; Instant::max(), the default, is for ever. When a lease comes
    // after the last one ran out, others may have announced meanwhile: everything is announced
    // again. Returns whether it did, and then frames still queued are stale.
    bool set_lease(Instant until, Instant now);
    // On one port (carrier came back, frames were lost) or everywhere (a partition healed).
    void announce_again(unsigned interface_index, Instant now);
    void announce_all_again(Instant now);

    // A whole Ethernet frame received on the port with that index.
    void on_frame(
        unsigned interface_index, std::span<const std::byte> frame, Instant now, Actions& out
    );
    // Sends what is due; safe to call early or late.
    void on_deadline(Instant now, Actions& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    [[nodiscard]] const Ownership& ownership() const { return ownership_; }
    // Of every announced address that was asked for or announced.
    [[nodiscard]] std::unordered_map<net::IpAddress, AddressCounters> counters() const;
    [[nodiscard]] const DropCounters& drops() const { return drops_; }

private:
    [[nodiscard]] std::optional<Drop> receive(
        unsigned interface_index, std::span<const std::byte> frame, Instant now, Actions& out
    );
    [[nodiscard]] std::optional<Drop> receive_neighbour(
        const Port& port, const Heard& heard, Instant now
    );
    void on_claim(const Port& port, const Claimed& claimed, Instant now);
    void judge(Instant now, Actions& out);
    void note_claims();

    Ownership ownership_;
    Responder responder_;
    EchoResponder echo_;
    Announcer announcer_;
    Instant lease_ = Instant::max();
    bool lapsed_ = false;  // the lease ran out and on_deadline() noticed
    struct Judgement {
        Instant due;
        Conflict conflict;
    };
    std::deque<Judgement> judgements_;  // in order of their time
    std::unordered_map<net::IpAddress, Instant> next_judgement_;
    TokenBucket reports_;
    DropCounters drops_;
};

}  // namespace steelyard::l2
