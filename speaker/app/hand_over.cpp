#include "common/rt/sleep.hpp"
#include "speaker/app/speaker.hpp"
#include "speaker/app/view.hpp"

#include <algorithm>
#include <chrono>

namespace steelyard::speaker {

using namespace std::chrono_literals;

namespace {

// How long the others have to take over. The pod's grace period must be longer.
constexpr Duration kHandOver = 3s;
constexpr Duration kLook = 5ms;
// After the good-bye, for those that elect in MetalLB's order: a MetalLB speaker learns only from
// it that we go, and has to plan and announce first.
constexpr Duration kLastAnswers = 300ms;

Instant now() {
    return std::chrono::steady_clock::now();
}

}  // namespace

// The other speakers learn that this node drains and announce what it had, while it still answers;
// it gives up each address when it hears the new owner. BGP sessions end meanwhile, each as its
// peer agreed. What nobody else can have stays until the good-bye. The kernel keeps its tables, so
// what still arrives is still served.
awaitable<void> Speaker::hand_over() {
    leaving_ = true;
    // A node that drains is not coming back at once: its peers should not wait for it.
    const bool gone = told_to_drain() || failure_;
    wire_->leave_bgp(
        gone ? io::StopMode::Shutdown : io::StopMode::Restart,
        "node " + options_.node_name + " stops"
    );
    if (!failure_) {
        co_await yield_addresses();
    }
    const bool answers = std::any_of(
        announcements_->addresses.begin(),
        announcements_->addresses.end(),
        [](const auto& entry) { return entry.second.announced_here; }
    );
    const bool heirs = sight_ && has_company(*sight_, options_.node_name);
    tasks_.cancel();
    co_await tasks_.join();
    co_await proxy_.close();
    const Duration last_answers = answers && heirs ? kLastAnswers : Duration::zero();
    co_await wire_->stop(last_answers);
}

awaitable<void> Speaker::yield_addresses() {
    if (!options_.gossip_address || !announced_once_) {
        co_return;
    }
    tell_meta();
    const Instant deadline = now() + kHandOver;
    while (now() < deadline && !failure_) {
        if (announced_draining_) {
            const std::size_t left = co_await wire_->yielding();
            if (left == 0) {
                co_return;
            }
        }
        co_await rt::sleep_for(kLook);
    }
    log_.warn("handed over in part; the others were too slow");
}

}  // namespace steelyard::speaker
