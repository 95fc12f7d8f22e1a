#pragma once

#include "common/base/error.hpp"
#include "common/rt/asio.hpp"
#include "speaker/bfd/config.hpp"
#include "speaker/bfd/status.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

// Runs all BFD sessions of this node (RFC 5880, 5881, 5883): their sockets and their one timer, on
// the executor's one thread; nothing blocks. Sockets are opened in the network namespace of the
// thread that calls set_sessions(). Lifetime: construct, set_sessions() whenever it changed,
// stop(), destroy. Handlers run on that thread and may call back in, except stop().
namespace steelyard::io {

struct BfdSessionStatus {
    std::string key;
    bfd::SessionStatus session;
    // Why its packets cannot be sent or received just now, or why the peer's are refused and what
    // to change; "" when they can and are not.
    std::string trouble;
};

class BfdDriver {
public:
    struct Options {
        std::uint64_t seed = 0;  // of discriminators and jitter; 0 draws one
        // Ports, so that tests need no privileged order of things; 0 is never right here.
        std::uint16_t single_hop_port = bfd::kSingleHopPort;
        std::uint16_t multihop_port = bfd::kMultihopPort;
    };
    struct Handlers {
        // Each change of state, beginning with Down when a key gets a session. A failure is Up ->
        // Down. AdminDown, by us or the peer, is none: the peer, or its operator, ended the session
        // on purpose (RFC 5882 3.2), and what rests on it goes on without BFD. `when` is when the
        // core decided.
        std::function<void(
            const std::string& key, bfd::State state, bfd::Diagnostic diagnostic, Instant when
        )>
            on_change;
        // BfdSessionStatus::trouble, once for each change. A socket that cannot be had (no address
        // yet, no interface, a port that is taken) is tried again every second.
        std::function<void(const std::string& line)> on_trouble;
    };

    BfdDriver(const asio::any_io_executor& executor, Options options, Handlers handlers);
    BfdDriver(const BfdDriver&) = delete;
    BfdDriver& operator=(const BfdDriver&) = delete;
    ~BfdDriver();

    // All sessions wanted from now on. New ones start; one whose profile alone changed goes over to
    // it by a Poll Sequence, without a flap; one that is gone says AdminDown to its peer.
    void set_sessions(std::vector<bfd::SessionConfig> sessions);
    // One session held administratively down, or released.
    void set_admin_down(const std::string& key, bool down);

    // By key.
    [[nodiscard]] std::vector<BfdSessionStatus> status() const;
    [[nodiscard]] const bfd::DropCounters& drops() const;

    // Says AdminDown to every peer, so that none takes our going for a failure, and joins.
    awaitable<void> stop();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

// Gives the calling thread SCHED_FIFO with the lowest priority, so that a busy node does not delay
// its timers. Errc::Unauthorized, with what is missing, where that is not permitted.
Result<> set_realtime_priority();

}  // namespace steelyard::io
