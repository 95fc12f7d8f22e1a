#pragma once

#include "common/base/rng.hpp"
#include "common/kube/faults/model_server.hpp"
#include "common/kube/watch/list_watch.hpp"
#include "common/kube/watch/mirror.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

// One random schedule under a virtual clock: writes on a ModelServer while its answers to a
// ListWatch are refused, cut at any byte, stalled, sent byte by byte, garbled, doubled and expired,
// and the server restarts, compacts and comes back from a backup. Everything follows from the seed.
namespace steelyard::kube::faults {

// What strikes one answer.
enum class Fault {
    None,
    Refused,    // no answer at all
    Status,     // an HTTP status, with or without Retry-After
    Page,       // 200 and an HTML page
    WrongType,  // the right bytes under another Content-Type
    Empty,      // 200 and nothing
    End,        // a clean end at some byte
    Reset,      // a break at some byte
    Stall,      // silence from some byte on
    Drip,       // from some byte on, one each 20 s
    Garbage,    // bytes that are not JSON, at some byte
    Expire,     // an ERROR event of a watch
};

struct ScheduleOptions {
    std::uint64_t seed = 1;
    std::size_t steps = 50;
    bool trace = false;  // tell every step on stderr
    // A certain fault strikes the first answers, one after the other, and no other ever does.
    std::optional<Fault> only;
    std::size_t only_at = 0;         // byte
    std::optional<bool> watch_list;  // as the server has it; absent: drawn
};

class Schedule {
public:
    Schedule(const ResourceType& type, ObjectSink& sink, ScheduleOptions options);

    // Trouble, then peace. `check` runs whenever something was told to the sink; false ends it all.
    // True when `check` always held and the client has caught up in the end.
    bool run(const std::function<bool()>& check, const std::function<bool()>& caught_up);

    [[nodiscard]] const ModelServer& server() const { return server_; }
    // The version the client believes it has.
    [[nodiscard]] std::uint64_t version() const;
    // The version the server had when the client last asked for a full state.
    [[nodiscard]] std::uint64_t asked_at() const { return asked_at_; }
    // Bytes of the longest answer so far, to know where a fault can strike.
    [[nodiscard]] std::size_t longest() const { return longest_; }

private:
    struct Connection {
        Fault fault = Fault::None;
        std::size_t at = 0;  // byte (or line, of Expire) where it strikes
        std::size_t delivered = 0;
        std::size_t lines = 0;
        bool list = false;
        ModelStream stream;
        std::string outbox;
        Instant ends{};  // timeoutSeconds of a watch
        bool broken = false;
    };

    void trouble();
    void step();
    void open(const std::string& target);
    void answer(const std::string& target, const ModelAnswer& answer);
    void refuse();
    void serve();
    void produce();
    void append(const ModelEvent& event);
    void send(std::size_t size);
    void strike();
    void drip();
    void stay_silent();
    void idle();
    void close(bool clean);
    void apply();
    Fault draw_fault();
    void say(const std::string& what) const;

    ScheduleOptions options_;
    Rng rng_;
    ModelServer server_;
    ListWatch core_;
    ActionCarrier carrier_;
    WatchActions actions_;
    Instant now_{std::chrono::hours(1)};
    std::optional<Connection> connection_;
    bool troubled_ = true;
    bool bookmarks_;
    bool noise_;
    std::uint64_t asked_at_ = 0;
    std::size_t longest_ = 0;
    bool told_ = false;  // something reached the sink since check() ran
};

}  // namespace steelyard::kube::faults
