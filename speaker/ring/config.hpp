#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/net/ip.hpp"
#include "speaker/gossip/wire/crypto.hpp"

#include <chrono>
#include <cstdint>
#include <string>

// What a node of the watch ring is, and how patient. All times that decide are multiples of the
// heartbeat interval, so that one option scales them together.
namespace steelyard::ring {

inline constexpr unsigned kMaxWatchers = 7;
inline constexpr std::size_t kMaxName = 253;

struct Config {
    std::string name;                                    // at most kMaxName bytes, unique
    std::uint64_t epoch = 0;                             // random, drawn by the process at start
    gossip_wire::KeyRing keys;                           // seal with the first, open with any
    Duration interval = std::chrono::milliseconds(100);  // 10 ms to 1 s
    unsigned watchers = 3;                               // 1 to kMaxWatchers
};

// Errc::Invalid, one line, when a field is out of bounds.
[[nodiscard]] Result<> validate(const Config& config);

// Somebody capable that gossip holds alive or suspect.
struct Peer {
    std::string name;
    net::Endpoint address;  // of its ring port
    std::uint64_t epoch = 0;
    friend bool operator==(const Peer&, const Peer&) = default;
};

// The spans a node goes by, computed from the interval.
struct Timing {
    explicit Timing(Duration interval);

    Duration interval;
    Duration probe_after;   // silence after which a watcher asks
    Duration probe_pause;   // between two of its questions
    Duration accuse_after;  // silence after which it accuses
    Duration recover_for;   // how long an accused node must be heard again
    Duration connected;     // heard so lately, another node shows that we are not cut off
    Duration late;          // a timer this late makes a watcher give everybody a fresh period
    Duration lease;         // from a heartbeat; ends before anybody may accuse for lack of the next
    Duration forget;        // a timer this late makes it drop what it thought of others
    Duration repeat;        // between the copies of news
    Duration remind;        // between reminders of an accusation that lasts
    Duration opinion_life;  // an accusation without reminder counts no longer
    Duration refresh;       // between reminders of a verdict that lasts
    Duration verdict_life;  // a verdict without reminder is forgotten
    Duration answer_limit;  // after a stall: no watcher answers for so long, then go on alone
};
inline constexpr int kCopies = 3;  // of news, against loss

}  // namespace steelyard::ring
