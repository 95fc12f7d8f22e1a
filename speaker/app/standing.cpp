#include "common/rt/sleep.hpp"
#include "speaker/app/speaker.hpp"
#include "speaker/app/view.hpp"

#include <chrono>
#include <utility>

// What this node says of itself to the others. Its own election reads the same words back from
// gossip, so that all nodes decide from one set of facts.
namespace steelyard::speaker {

using namespace std::chrono_literals;

namespace {

constexpr const char* kDrainAnnotation = "steelyard.io/drain";
// At most ten updates a second: each one goes to every member.
constexpr Duration kMetaPace = 100ms;
// A kernel that takes nothing for this long: its audit has failed too.
constexpr Duration kFailing = 60s;
// How long a node whose peers do not answer waits for them before it serves alone.
constexpr Duration kMeet = 2s;

}  // namespace

awaitable<void> Speaker::meta_loop() {
    for (;;) {
        co_await tell_.wait();
        tell_meta();
        co_await rt::sleep_for(kMetaPace);
    }
}

void Speaker::tell_meta() {
    NodeMeta meta = own_meta();
    if (meta != told_) {
        told_ = meta;
        wire_->set_meta(std::move(meta));
    }
}

NodeMeta Speaker::own_meta() const {
    NodeMeta meta;
    // Without a configuration it would own addresses that it cannot announce.
    meta.ready = ready_ && met_ && config_.current() != nullptr;
    meta.draining = drains();
    meta.settling = settling_;
    meta.founder = founder_;
    meta.interfaces = told_interfaces(links_.snapshot(), l2::NameExclusions::standard());
    meta.unservable = unservable_;
    return meta;
}

// A node that has just started knows only itself and would claim every address, until it has
// joined.
void Speaker::meet_others() {
    if (std::exchange(meeting_, true)) {
        return;
    }
    if (peers_.empty()) {
        met();
    } else {
        tasks_.spawn("meet", end_meeting());
    }
}

awaitable<void> Speaker::end_meeting() {
    co_await rt::sleep_for(kMeet);
    if (!met_) {
        log_.warn("no other speaker answers; going on alone");
    }
    met();
}

void Speaker::met() {
    if (!std::exchange(met_, true)) {
        review_settling();
        tell_.notify();
    }
}

// Told to leave, by SIGTERM or by hand; or the kernel takes nothing any more.
bool Speaker::drains() const {
    return leaving_ || told_to_drain();
}

bool Speaker::told_to_drain() const {
    const auto failing = proxy_.failing_since();
    if (failing && std::chrono::steady_clock::now() - *failing > kFailing) {
        return true;
    }
    const auto node = watches_.node(options_.node_name);
    if (node == nullptr) {
        return false;
    }
    const auto& annotations = node->meta.annotations;
    const auto drain = annotations.find(kDrainAnnotation);
    return drain != annotations.end() && drain->second == "true";
}

// For a while after it is back, this node takes only what nobody else can have: what comes back
// and fails again moves nothing. Where nobody has anything to keep (a cluster starts, the last node
// of a roll-out leaves), all go ahead together, rather than one by one as their delays end: the
// first would get everything.
void Speaker::begin_settling() {
    ++settlings_;
    settling_ = options_.failback_delay > Duration::zero();
    founder_ = false;
    tell_.notify();
    if (settling_) {
        tasks_.spawn("settle", end_settling(settlings_));
        review_settling();
    }
}

void Speaker::review_settling() {
    if (settling_ && met_ && sight_ && !has_keepers(*sight_, options_.node_name)) {
        settling_ = false;
        founder_ = true;
        tell_.notify();
    }
}

awaitable<void> Speaker::end_settling(std::uint64_t mine) {
    co_await rt::sleep_for(options_.failback_delay);
    if (mine == settlings_) {
        settling_ = founder_ = false;
        tell_.notify();
    }
}

}  // namespace steelyard::speaker
