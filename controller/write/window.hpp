#pragma once

#include "common/base/rng.hpp"
#include "common/base/time.hpp"

#include <cstdint>

// How many writes may be in flight at once, as TCP finds its congestion window: with every window
// of answers it doubles at first, later it grows by one; it halves when the server pushes back
// (429, no answer in time). Near the size that was too much last time it grows by one a second, for
// each push back costs the wait the server asks for (Retry-After, of 1 s mostly). It does not grow
// while answers take much longer than the fastest did: more would only queue at the server. While a
// push back lasts nothing starts. Pure: `now` comes in.
namespace steelyard::controller {

struct WindowOptions {
    unsigned least = 1;
    unsigned first = 8;
    unsigned most = 64;
    double patience = 2.0;  // times the fastest round trip
    Duration first_pause = std::chrono::milliseconds(100);
    Duration longest_pause = std::chrono::seconds(30);
};

class Window {
public:
    Window(const WindowOptions& options, std::uint64_t seed);

    // Given out for a write in flight, handed back with its outcome.
    struct Ticket {
        std::uint64_t epoch = 0;
        Instant started{};
    };

    [[nodiscard]] bool open(Instant now) const { return in_flight_ < size_ && now >= resume_; }
    [[nodiscard]] Ticket start(Instant now);
    // The server answered, whatever it said. `whole`: it was one request, so that its time counts.
    void answered(const Ticket& ticket, bool whole, Instant now);
    // It wants to be left alone for `retry_after` (0: it did not say for how long).
    void pushed_back(const Ticket& ticket, Duration retry_after, Instant now);

    [[nodiscard]] unsigned size() const { return size_; }
    [[nodiscard]] unsigned in_flight() const { return in_flight_; }
    // Nothing starts before.
    [[nodiscard]] Instant resume() const { return resume_; }
    // Pushed back and no answer since.
    [[nodiscard]] bool pushed() const { return pushes_ != 0; }

private:
    void measure(Duration round_trip, Instant now);
    void end_round(Instant now);
    void begin_round();
    [[nodiscard]] Duration pause();

    WindowOptions options_;
    Rng rng_;
    unsigned size_;
    unsigned in_flight_ = 0;
    bool probing_ = true;  // nothing was too much yet
    unsigned careful_;     // from this size on it grows by one a second
    Instant grown_{};
    std::uint64_t epoch_ = 0;  // of the last decrease: what was in flight then says no more
    Instant resume_{};
    unsigned pushes_ = 0;  // decreases in a row
    // In this round, one of as many answers as the window is large: whether it was ever full, the
    // answers, and those whose time counts.
    bool full_ = false;
    unsigned answers_ = 0;
    unsigned measured_ = 0;
    Duration spent_{};
    // The fastest round trip of this period and of the one before, so that a change of the server
    // is noticed.
    Duration fastest_ = Duration::max();
    Duration fastest_before_ = Duration::max();
    Instant period_{};
};

}  // namespace steelyard::controller
