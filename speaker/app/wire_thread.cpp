#include "speaker/app/wire_thread.hpp"

#include "common/rt/sleep.hpp"
#include "speaker/app/heal.hpp"
#include "speaker/app/view.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace steelyard::speaker {
namespace {

Instant now() {
    return std::chrono::steady_clock::now();
}

std::string and_more(std::uint64_t held_back) {
    return held_back == 0 ? "" : " (and " + std::to_string(held_back) + " before it)";
}

}  // namespace

WireSide::Thread::Thread(
    const asio::any_io_executor& control,
    std::uint64_t seed,
    l2::AnnouncerOptions announcer,
    Callbacks callbacks
)
    : control_(control),
      callbacks_(std::make_shared<const Callbacks>(std::move(callbacks))),
      announcer_(announcer),
      rng_(seed),
      tasks_(ioc_.get_executor(), [this](const std::string& name, const std::exception_ptr& error) {
          if (error) {
              fail(make_error(Errc::Internal, name + ": " + rt::describe(error)));
          }
      }) {}

Result<> WireSide::Thread::open_gossip(gossip::Config config) {
    io::GossipDriver::Options options;
    options.bind = config.address.address;
    options.config = std::move(config);
    options.config.meta = encode_meta();
    options.seed = rng_.next();
    io::GossipDriver::Handlers handlers;
    handlers.changed = [this](const gossip::Changed& change, const io::Members& members) {
        on_gossip(change, members);
    };
    handlers.refused = [this](const std::string& why) {
        refused(why);
    };
    handlers.failed = [this](const std::string& why) {
        fail(make_error(Errc::Internal, "gossip: " + why));
    };
    auto driver =
        io::GossipDriver::create(ioc_.get_executor(), std::move(options), std::move(handlers));
    if (!driver) {
        return driver.error();
    }
    gossip_ = std::move(*driver);
    return {};
}

Result<> WireSide::Thread::open_ring(
    const WireRing& config, std::string name, gossip_wire::KeyRing keys
) {
    SY_CHECK(gossip_ != nullptr, "the ring's peers come from gossip");
    io::RingDriver::Options options;
    options.config.name = std::move(name);
    options.config.epoch = config.epoch;
    options.config.keys = std::move(keys);
    options.config.interval = config.interval;
    options.bind = gossip_->address().address;
    options.port = config.port;
    options.seed = rng_.next();
    io::RingDriver::Handlers handlers;
    handlers.changed = [this](const io::RingDriver::Names& unreachable) {
        on_verdicts(unreachable);
    };
    handlers.lease = [this](Instant until) {
        packets_->set_lease(until);
    };
    handlers.failed = [this](const std::string& why) {
        fail(make_error(Errc::Internal, "watch ring: " + why));
    };
    auto driver =
        io::RingDriver::create(ioc_.get_executor(), std::move(options), std::move(handlers));
    if (!driver) {
        return driver.error();
    }
    ring_ = std::move(*driver);
    meta_.ring = NodeMeta::Ring{ring_->address().port, config.epoch};
    return gossip_->update_meta(encode_meta());
}

void WireSide::Thread::start(bool realtime) {
    io_l2::PacketDriverOptions options;
    options.announcer = announcer_;
    packets_.emplace(ioc_.get_executor(), options, rng_, packet_callbacks());
    if (gossip_) {
        gossip_->start();
    }
    if (ring_) {
        ring_->start();
    }
    thread_ = std::thread([this, realtime] {
        if (realtime) {
            if (const auto raised = io::set_realtime_priority(); !raised) {
                report(raised.error());
            }
        }
        ioc_.run();
    });
}

void WireSide::Thread::open_bgp(io::BgpDriver::Options options) {
    SY_CHECK(bgp_ == nullptr, "BGP is opened once");
    options.seed = rng_.next();
    WireBgp::Handlers handlers;
    handlers.on_status = [this](const std::shared_ptr<const io::BgpStatus>& status) {
        asio::post(control_, [callbacks = callbacks_, status] { callbacks->on_bgp(status); });
    };
    handlers.on_log = [this](io::BgpDriver::Level level, const std::string& line) {
        if (const auto held_back = bgp_lines_.admit(now())) {
            asio::post(
                control_,
                [callbacks = callbacks_, level, text = line + and_more(*held_back)] {
                    callbacks->on_bgp_log(level, text);
                }
            );
        }
    };
    handlers.on_failed = [this](const std::string& why) {
        fail(make_error(Errc::Internal, "BGP: " + why));
    };
    bgp_ = std::make_unique<WireBgp>(ioc_.get_executor(), options, std::move(handlers));
    bgp_->start();
}

void WireSide::Thread::set_interfaces(const std::vector<net::Interface>& interfaces) {
    packets_->set_interfaces(interfaces);
    if (WireBgp* bgp = this->bgp()) {
        bgp->set_interfaces(interfaces);
    }
}

void WireSide::Thread::leave_bgp(io::StopMode mode, std::string text) {
    if (WireBgp* bgp = this->bgp(); bgp != nullptr) {
        leaving_bgp_ = true;
        tasks_.spawn("leave BGP", end_bgp(mode, std::move(text)));
    }
}

awaitable<void> WireSide::Thread::end_bgp(io::StopMode mode, std::string text) {
    try {
        co_await bgp_->stop(mode, std::move(text));
    } catch (const std::exception& error) {
        // Whoever waits for the end of BGP must not wait for ever.
        report(make_error(Errc::Internal, std::string("leaving BGP: ") + error.what()));
    }
    left_bgp_ = true;
    bgp_left_.notify();
}

wire::Bytes WireSide::Thread::encode_meta() const {
    return encode(meta_);
}

// One packet may tell of thousands of members: what follows is done once for all of them.
void WireSide::Thread::on_gossip(const gossip::Changed& change, const io::Members& /*members*/) {
    if (change.kind == gossip::Changed::Kind::Failed) {
        failed_.insert(change.member.name);
    } else if (change.kind == gossip::Changed::Kind::Left) {
        failed_.erase(change.member.name);
    } else if (change.kind == gossip::Changed::Kind::Joined && failed_.erase(change.member.name) != 0) {
        may_have_healed_ = true;
    }
    if (!std::exchange(gossip_changed_, true)) {
        asio::post(ioc_, [this] { after_gossip(); });
    }
}

void WireSide::Thread::after_gossip() {
    gossip_changed_ = false;
    follow_members();
    tell();
    if (std::exchange(may_have_healed_, false)) {
        packets_->announce_again();  // both sides have announced the same addresses
    }
}

void WireSide::Thread::on_verdicts(const io::RingDriver::Names& unreachable) {
    const bool lost = std::any_of(unreachable.begin(), unreachable.end(), [&](const auto& name) {
        return !unreachable_.contains(name);
    });
    const bool healed = has_returned(unreachable_, unreachable, *gossip_->members());
    unreachable_ = unreachable;
    if (lost) {
        verdict_ = now();
    }
    tell();
    if (healed) {
        packets_->announce_again();  // whoever was cut off may have announced the same
    }
}

// Also after a change of our own meta, which is no Change: the plan reads what this node says of
// itself from the members too.
void WireSide::Thread::tell() {
    const auto sight = std::make_shared<Sight>();
    sight->members = *gossip_->members();
    sight->unreachable = unreachable_;
    sight->verdict = verdict_;
    asio::post(control_, [callbacks = callbacks_, seen = SightRef(sight)] {
        callbacks->on_sight(seen);
    });
}

void WireSide::Thread::follow_members() {
    if (!ring_) {
        return;
    }
    auto peers = ring_peers(*gossip_->members(), ring_->core().config().name);
    if (peers != ring_peers_) {
        ring_peers_ = std::move(peers);
        ring_->set_peers(ring_peers_);
    }
}

void WireSide::Thread::set_peers(const std::vector<net::Endpoint>& peers) {
    if (gossip_) {
        gossip_->set_peers(peers);
    }
}

void WireSide::Thread::set_meta(NodeMeta meta) {
    meta.ring = meta_.ring;
    meta_ = std::move(meta);
    if (!gossip_) {
        return;
    }
    const auto updated = gossip_->update_meta(encode_meta());
    if (!updated) {
        report(updated.error());
    }
    tell();
}

void WireSide::Thread::set_keys(const gossip_wire::KeyRing& keys) {
    if (!gossip_) {
        return;
    }
    const auto set = gossip_->set_keys(keys);
    if (!set) {
        report(set.error());
        return;
    }
    if (ring_) {
        ring_->set_keys(keys);
    }
}

WireCounters WireSide::Thread::counters() const {
    WireCounters counters;
    counters.addresses = packets_->counters();
    counters.drops = packets_->drops();
    if (gossip_) {
        counters.gossip = gossip_->counters();
        counters.health_score = gossip_->health_score();
    }
    if (ring_) {
        counters.ring = ring_->counters();
    }
    if (bgp_) {
        counters.bgp = bgp_->counters();
    }
    return counters;
}

// Limited on this thread: a flood of bad packets must not queue up on the other.
void WireSide::Thread::refused(const std::string& why) {
    if (const auto held_back = refused_.admit(now())) {
        asio::post(
            control_,
            [callbacks = callbacks_,
             error = make_error(Errc::Invalid, why + and_more(*held_back))] {
                callbacks->on_refused(error);
            }
        );
    }
}

void WireSide::Thread::report(const Error& error) {
    asio::post(control_, [callbacks = callbacks_, error] { callbacks->on_error(error); });
}

void WireSide::Thread::fail(const Error& error) {
    asio::post(control_, [callbacks = callbacks_, error] { callbacks->on_failed(error); });
}

io_l2::PacketDriverCallbacks WireSide::Thread::packet_callbacks() {
    io_l2::PacketDriverCallbacks callbacks;
    callbacks.on_error = [this](const Error& error) {
        report(error);
    };
    callbacks.on_failed = [this](const Error& error) {
        fail(error);
    };
    callbacks.on_conflict = [this](const l2::Conflict& conflict) {
        asio::post(control_, [callbacks = callbacks_, conflict] {
            callbacks->on_conflict(conflict);
        });
    };
    return callbacks;
}

awaitable<void> WireSide::Thread::stop(Duration last_answers) {
    // Shared with the wire thread, which may outlive a cancelled wait.
    const auto stopped = std::make_shared<rt::Signal>(control_);
    post([stopped, last_answers](Thread& self) {
        self.tasks_.spawn("stop", self.shut_down(last_answers, stopped));
    });
    co_await stopped->wait();
    thread_.join();
}

// The others hear that we go before we fall silent, so they announce while we still answer. The
// ring is left last: from then on our lease is not extended any more.
awaitable<void> WireSide::Thread::shut_down(
    Duration last_answers, std::shared_ptr<rt::Signal> stopped
) {
    if (gossip_) {
        co_await gossip_->leave();
        if (last_answers > Duration::zero()) {
            co_await rt::sleep_for(last_answers);
        }
    }
    if (ring_) {
        ring_->leave();
    }
    co_await packets_->stop();
    leave_bgp(io::StopMode::Shutdown, "");  // unless that was begun before
    while (bgp_ && !left_bgp_) {
        co_await bgp_left_.wait();
    }
    if (ring_) {
        co_await ring_->stop();
    }
    if (gossip_) {
        co_await gossip_->stop();
    }
    work_.reset();
    asio::post(control_, [stopped] { stopped->notify(); });
}

}  // namespace steelyard::speaker
