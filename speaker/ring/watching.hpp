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
    [[nodiscard]] Instant heard() const { return heard_; }

    // The set its newest heartbeat names; opinions of those who stay are kept.
    void set_watchers(const WatcherSet& watchers);
    // Any packet of the node. True when it ends our accusation.
    bool on_heard(const Timing& timing, Instant now);
    // As if it had been heard now, and nothing else known: our own clock stood still.
    void give_fresh_period(Instant now);
    void forget(Instant now);
    // What a fellow watcher says; older news than we have is ignored.
    void on_opinion(NodeId fellow, bool silent, std::uint64_t counter, Instant now);

    enum class Due : std::uint8_t { Nothing, Probe, Accuse };
    [[nodiscard]] Due due(const Timing& timing, Instant now) const;
    void probed(const Timing& timing, Instant now);
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
    Instant probe_at_;  // the next question, once silent
    bool accused_ = false;
    Instant heard_again_;  // since when, while accused
    int heard_count_ = 0;
    Instant tell_at_ = Instant::max();
    int copies_left_ = 0;
};

}  // namespace steelyard::ring
