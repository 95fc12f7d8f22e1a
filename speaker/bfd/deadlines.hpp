#pragma once

#include "speaker/bfd/action.hpp"

#include <cstddef>
#include <optional>
#include <unordered_map>
#include <vector>

// Who is due next among many. A heap in which a session that comes to be due *later* stays where it
// is and is asked again when its old time comes: every packet received moves a deadline back, and
// that must cost nothing.
namespace steelyard::bfd {

class Deadlines {
public:
    // The session is due at `at`; Instant::max(): not at all.
    void set(SessionId id, Instant at);
    void remove(SessionId id);
    // At or before any deadline; Instant::max() when there is none.
    [[nodiscard]] Instant next() const;
    // One session to be asked, whose time has come by `now`: it may turn out to be due later. Its
    // deadline must be set() again.
    std::optional<SessionId> pop(Instant now);
    // Entries kept, outdated ones included.
    [[nodiscard]] std::size_t entries() const { return heap_.size(); }

private:
    struct Entry {
        Instant at;
        SessionId id{};
    };
    void push(Entry entry);
    void forget_what_no_longer_counts();
    void pop_front();

    std::vector<Entry> heap_;
    std::unordered_map<SessionId, Instant> queued_;  // the entry that counts
};

}  // namespace steelyard::bfd
