#pragma once

#include "common/kube/model/meta.hpp"
#include "controller/write/window.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

// Which object is written next, and when. Objects wait in the order they came; never are two writes
// of one object in flight, so its writes keep their order, and a newer wish for it replaces one not
// yet written. What the server refuses about one object waits by itself, with backoff; what it says
// about its own state (429, no answer) slows all down through the Window. Pure: time comes in.
namespace steelyard::controller {

struct WriteOutcome {
    enum class Kind : std::uint8_t {
        Done,
        Refused,     // about this object; others may fare better
        PushedBack,  // about the server: 429, or it cannot be reached
        TimedOut,    // either: slow down, and let others go first
    };
    Kind kind = Kind::Done;
    bool whole = true;  // it was one request
    Duration retry_after{};
};

class WriteSchedule {
public:
    WriteSchedule(const WindowOptions& window, std::uint64_t seed);

    // There is something to write for it; something newer when there was already.
    void put(const kube::ObjectKey& key);
    // It is gone. A write in flight ends on its own.
    void forget(const kube::ObjectKey& key);
    // What to write now; it is in flight until finished().
    [[nodiscard]] std::optional<kube::ObjectKey> next(Instant now);
    void finished(const kube::ObjectKey& key, const WriteOutcome& outcome, Instant now);
    // When next() has something to give although nothing else happens.
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    // Nothing is in flight and nothing waits, but what was refused.
    [[nodiscard]] bool idle() const { return window_.in_flight() == 0 && ready_.empty(); }
    [[nodiscard]] std::size_t waiting() const { return ready_.size() + later_.size(); }
    [[nodiscard]] const Window& window() const { return window_; }

private:
    struct Entry;
    using Entries = std::map<kube::ObjectKey, Entry>;
    using Ready = std::map<std::uint64_t, Entries::iterator>;
    using Later = std::multimap<Instant, Entries::iterator>;
    // An entry stands in ready_, in later_, or is in flight.
    struct Entry {
        bool in_flight = false;
        bool again = false;      // put() while in flight
        bool forgotten = false;  // forget() while in flight
        unsigned failures = 0;   // in a row
        Window::Ticket ticket;
        std::optional<std::uint64_t> place;  // in ready_
        Later::iterator due;                 // valid when neither in flight nor in ready_
    };

    void make_ready(Entries::iterator entry);
    void wait_until(Entries::iterator entry, Instant due);
    [[nodiscard]] Duration backoff(unsigned failures);

    Window window_;
    Rng rng_;
    Entries entries_;
    Ready ready_;
    Later later_;
    std::uint64_t places_ = 0;
};

}  // namespace steelyard::controller
