#pragma once

#include "common/base/check.hpp"
#include "common/base/rng.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/app/log_limit.hpp"
#include "speaker/app/wire_side.hpp"
#include "speaker/io/gossip/gossip_driver.hpp"
#include "speaker/io/l2/packet_driver.hpp"
#include "speaker/io/ring/ring_driver.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// What runs behind a WireSide. Everything below start() happens on the wire thread; `control_` and
// `callbacks_` are only posted to. Callbacks are shared with what is still queued on the control
// executor when the thread has ended. Private to wire_side.cpp.
namespace steelyard::speaker {

class WireSide::Thread {
public:
    Thread(
        const asio::any_io_executor& control,
        std::uint64_t seed,
        l2::AnnouncerOptions announcer,
        Callbacks callbacks
    );
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
    ~Thread() { SY_CHECK(!thread_.joinable(), "WireSide::stop() must be awaited first"); }

    Result<> open_gossip(gossip::Config config);
    // After open_gossip().
    Result<> open_ring(const WireRing& config, std::string name, gossip_wire::KeyRing keys);
    // Nothing may fail from here on: what has tasks cannot be destroyed before stop().
    void start(bool realtime);

    // From the control thread.
    template <class Step>
    void post(Step step) {
        asio::post(ioc_, [this, step = std::move(step)]() mutable { step(*this); });
    }
    awaitable<void> stop(Duration last_answers);
    // What `question` returns when it is asked on the wire thread.
    template <class Value>
    awaitable<Value> ask(Value (Thread::*question)() const);

    // On the wire thread.
    void set_peers(const std::vector<net::Endpoint>& peers);
    void set_meta(NodeMeta meta);
    void set_keys(const gossip_wire::KeyRing& keys);
    void set_interfaces(const std::vector<net::Interface>& interfaces);
    void open_bgp(io::BgpDriver::Options options);
    void leave_bgp(io::StopMode mode, std::string text);
    // Null before open_bgp(), and once leaving has begun.
    [[nodiscard]] WireBgp* bgp() { return leaving_bgp_ ? nullptr : bgp_.get(); }
    [[nodiscard]] WireCounters counters() const;
    [[nodiscard]] std::size_t yielding() const { return packets_->yielding(); }
    io_l2::PacketDriver& packets() { return *packets_; }

private:
    void on_gossip(const gossip::Changed& change, const io::Members& members);
    void on_verdicts(const io::RingDriver::Names& unreachable);
    void after_gossip();
    void tell();
    void follow_members();
    void refused(const std::string& why);
    void report(const Error& error);
    void fail(const Error& error);
    [[nodiscard]] wire::Bytes encode_meta() const;
    [[nodiscard]] io_l2::PacketDriverCallbacks packet_callbacks();
    awaitable<void> end_bgp(io::StopMode mode, std::string text);
    awaitable<void> shut_down(Duration last_answers, std::shared_ptr<rt::Signal> stopped);

    asio::any_io_executor control_;
    std::shared_ptr<const Callbacks> callbacks_;
    l2::AnnouncerOptions announcer_;
    Rng rng_;
    LogLimit refused_;
    LogLimit bgp_lines_{50};  // their texts may be a peer's
    NodeMeta meta_;
    std::vector<ring::Peer> ring_peers_;
    std::set<std::string, std::less<>> failed_;  // members that gossip declared dead
    io::RingDriver::Names unreachable_;
    std::optional<Instant> verdict_;
    bool gossip_changed_ = false;  // after_gossip() is queued
    bool may_have_healed_ = false;
    asio::io_context ioc_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_{ioc_.get_executor()};
    rt::TaskGroup tasks_;
    std::optional<io_l2::PacketDriver> packets_;  // set by start()
    std::unique_ptr<io::GossipDriver> gossip_;
    std::unique_ptr<io::RingDriver> ring_;
    std::unique_ptr<WireBgp> bgp_;
    bool leaving_bgp_ = false;
    bool left_bgp_ = false;
    rt::Signal bgp_left_{ioc_.get_executor()};
    std::thread thread_;
};

template <class Value>
awaitable<Value> WireSide::Thread::ask(Value (Thread::*question)() const) {
    // Shared with the wire thread, which may outlive a cancelled wait.
    struct Answer {
        explicit Answer(const asio::any_io_executor& control) : ready(control) {}
        rt::Signal ready;
        Value value{};
    };
    const auto answer = std::make_shared<Answer>(control_);
    post([answer, question](Thread& self) {
        answer->value = (self.*question)();
        asio::post(self.control_, [answer] { answer->ready.notify(); });
    });
    co_await answer->ready.wait();
    co_return std::move(answer->value);
}

}  // namespace steelyard::speaker
