#pragma once

#include "common/base/error.hpp"
#include "common/rt/asio.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/ring/watch_ring.hpp"

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

// Runs a ring::WatchRing on one UDP socket and one timer. Everything happens on the executor's one
// thread; nothing blocks. Lifetime: create(), start(), [leave()], stop(), then it may be destroyed.
// Handlers are called on that thread and may call back in, except stop().
namespace steelyard::io {

class RingDriver {
public:
    using Names = std::set<std::string, std::less<>>;

    struct Options {
        ring::Config config;
        net::IpAddress bind;
        std::uint16_t port = 0;  // 0 picks a free one; address() tells
        std::uint64_t seed = 0;  // when heartbeats start; 0 draws one
    };
    struct Handlers {
        // After each change, with all verdicts in force; our own name may be among them.
        std::function<void(const Names& unreachable)> changed;
        // Whenever the lease moves, which is at every heartbeat.
        std::function<void(Instant until)> lease;
        // Input that was refused: one line for the log. May come often.
        std::function<void(const std::string&)> refused;
        // The driver itself failed and hears nothing any more: end the process. One line says why.
        std::function<void(const std::string&)> failed;
    };

    // Fails with one line when the address cannot be bound or the config is wrong.
    static Result<std::unique_ptr<RingDriver>> create(
        const asio::any_io_executor& executor, Options options, Handlers handlers
    );
    RingDriver(const RingDriver&) = delete;
    RingDriver& operator=(const RingDriver&) = delete;

    void start();
    // All capable live members but ourselves.
    void set_peers(const std::vector<ring::Peer>& peers);
    void set_keys(const gossip_wire::KeyRing& keys);
    // Tells the watchers that we go on purpose; the packets are out when it returns.
    void leave();
    awaitable<void> stop();

    [[nodiscard]] const Names& unreachable() const { return core_.unreachable(); }
    [[nodiscard]] Instant lease() const { return core_.lease(); }
    [[nodiscard]] const ring::Counters& counters() const { return core_.counters(); }
    [[nodiscard]] const ring::WatchRing& core() const { return core_; }
    [[nodiscard]] const net::Endpoint& address() const { return address_; }

private:
    using Udp = asio::ip::udp;

    RingDriver(
        const asio::any_io_executor& executor,
        ring::Config config,
        std::uint64_t seed,
        Handlers handlers,
        Udp::socket socket
    );

    awaitable<void> receive_packets();
    awaitable<void> run_timer();
    void read_what_came();
    void apply();
    void rearm();

    Handlers handlers_;
    ring::WatchRing core_;
    Udp::socket socket_;
    net::Endpoint address_;
    asio::steady_timer timer_;
    std::array<std::byte, 2048> buffer_{};
    ring::Actions actions_;
    ring::Actions spare_;  // keeps its memory for the next round
    Instant told_lease_;
    rt::TaskGroup tasks_;
};

}  // namespace steelyard::io
