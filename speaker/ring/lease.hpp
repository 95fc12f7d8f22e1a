#pragma once

#include "common/base/time.hpp"
#include "speaker/ring/config.hpp"
#include "speaker/ring/wire.hpp"

#include <array>
#include <cstdint>

// Until when this node may answer for its addresses. Each heartbeat sent in time extends the lease
// to shortly before anybody could accuse us for lack of the next one. A node that wakes after its
// lease ran out may have lost its addresses, so it asks its watchers first. Availability comes
// before that: when none of them says anything for a while, it goes on alone.
namespace steelyard::ring {

inline constexpr std::uint32_t kNoToken = 0;  // of a question that is not about our lease

class Lease {
public:
    [[nodiscard]] Instant until() const { return until_; }
    [[nodiscard]] bool asking() const { return asking_; }
    [[nodiscard]] std::uint32_t token() const { return token_; }

    // No peers: nobody can take over.
    void unlimited();
    // There are peers now, who may.
    void limit(const Timing& timing, Instant now);
    // A heartbeat went out.
    void on_heartbeat(const Timing& timing, Instant now);
    [[nodiscard]] bool ran_out(Instant now) const { return !asking_ && until_ < now; }
    // Extends nothing until decide() says so. The token tells this round's answers from older ones.
    void begin_asking(std::uint32_t token, Instant now);

    void set_watchers(const WatcherSet& watchers);
    // What a watcher thinks of us, in answer to a question with this token.
    void on_answer(NodeId watcher, std::uint32_t token, View view, Instant now);
    // Somebody told us that we are unreachable.
    void on_accused(Instant now);
    // Ends the asking when that is justified: true when the lease was extended.
    bool decide(const Timing& timing, bool held_unreachable, Instant now);

    [[nodiscard]] bool must_ask(Instant now) const { return asking_ && ask_at_ <= now; }
    void asked(const Timing& timing, Instant now);
    [[nodiscard]] Instant deadline(const Timing& timing) const;

private:
    enum class Word : std::uint8_t { None, Good, Bad };

    Instant until_ = Instant::max();
    WatcherSet watchers_;
    std::array<Word, kMaxWatchers> words_{};
    bool asking_ = false;
    std::uint32_t token_ = 0;
    Instant since_;  // of the asking, or of the last bad word
    Instant ask_at_;
    int asked_ = 0;
};

}  // namespace steelyard::ring
