#pragma once

#include "common/base/time.hpp"
#include "speaker/ring/config.hpp"
#include "speaker/ring/wire.hpp"

#include <array>
#include <cstdint>

// What a watcher knows of one node that heartbeats to it: when it was heard, whether we accuse it,
// and what its other watchers say. It decides about nothing but this one node.
namespace steelyard::ring {

class Watching {
public:
    Watching(NodeId subject, NodeId self, Instant now);

    [[nodiscard]] NodeId subject() const { return subject_; }
    [[nodiscard]] const WatcherSet& watchers() const { return watchers_; }
    [[nodiscard]] bool accused() const { return accused_; }
    // Heard indeed; a fresh period does not count.
    [[nodiscard]] bool heard_within(Duration span, Instant now) const {
        return now - heard_ < span;
    }
    [[nodiscard]] Duration silence(Instant now) const { return now - quiet_since_; }

    // The set its newest heartbeat names; opinions of those who stay are kept.
    void set_watchers(const WatcherSet& watchers);
    // Any packet of the node. True when it ends our accusation.
    bool on_heard(const Timing& timing, Instant now);
    // Silence counts from now on.
    void give_fresh_period(Instant now);
    // That too, and we accuse it no more and know no other opinion.
    void forget(Instant now);
    // What a fellow watcher says; older news than we have is ignored.
    void on_opinion(NodeId fellow, bool silent, std::uint64_t counter, Instant now);

    enum class Due : std::uint8_t { Nothing, Probe, Accuse };
    [[nodiscard]] Due due(const Timing& timing, Instant now) const;
    void probed(const Timing& timing, Instant now);
    // Not yet: first it must be clear that it is not us who are cut off.
    void postpone(const Timing& timing, Instant now);
    void accuse(Instant now);

    // Enough watchers, we among them, accuse it now.
    [[nodiscard]] bool condemned(const Timing& timing, Instant now) const;
    // We hear it, or so many others said they do that no quorum is left. A fellow that merely fell
    // silent takes nothing back: it may have died, or know already that the node did.
    [[nodiscard]] bool acquitted() const;

    // When our opinion is to be told to the fellows; told() moves it on.
    [[nodiscard]] bool must_tell(Instant now) const { return tell_at_ <= now; }
    void told(const Timing& timing, Instant now);

    [[nodiscard]] Instant deadline(const Timing& timing) const;

private:
    struct FellowOpinion {
        bool silent = false;
        Instant at;
        std::uint64_t counter = 0;
    };
    void change_opinion(bool accused, Instant now);

    NodeId subject_;
    NodeId self_;
    WatcherSet watchers_;
    std::array<FellowOpinion, kMaxWatchers> opinions_{};
    Instant heard_;
    Instant quiet_since_;  // heard_, or the start of a fresh period
    Instant probe_at_;     // once silent, not earlier
    Instant accuse_at_;    // likewise
    bool accused_ = false;
    Instant heard_again_;  // since when, while accused
    int heard_count_ = 0;
    Instant tell_at_ = Instant::max();
    int copies_left_ = 0;
};

}  // namespace steelyard::ring
