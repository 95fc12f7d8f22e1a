#include "speaker/app/wire_side.hpp"

#include "common/base/check.hpp"
#include "common/base/rng.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/sleep.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/app/log_limit.hpp"
#include "speaker/app/node_meta/node_meta.hpp"
#include "speaker/io/gossip/gossip_driver.hpp"
#include "speaker/io/l2/packet_driver.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace steelyard::speaker {
namespace {

// From the last good-bye to silence: whoever heard only that one has to plan and announce first.
constexpr Duration kTakeOver = std::chrono::milliseconds(300);

}  // namespace

// Everything below start() runs on the wire thread; `control_` and `callbacks_` are only posted to.
// Callbacks are shared with what is still queued on the control executor when the thread has ended.
class WireSide::Thread {
public:
    Thread(const asio::any_io_executor& control, std::uint64_t seed, Callbacks callbacks)
        : control_(control),
          callbacks_(std::make_shared<const Callbacks>(std::move(callbacks))),
          rng_(seed),
          tasks_(
              ioc_.get_executor(),
              [this](const std::string& name, const std::exception_ptr& error) {
                  if (error) {
                      report(make_error(Errc::Internal, name + ": " + rt::describe(error)));
                  }
              }
          ) {}
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
    ~Thread() { SY_CHECK(!thread_.joinable(), "WireSide::stop() must be awaited first"); }

    Result<> open_gossip(gossip::Config config) {
        io::GossipDriver::Options options;
        options.bind = config.address.address;
        options.config = std::move(config);
        options.seed = rng_.next();
        io::GossipDriver::Handlers handlers;
        handlers.changed = [this](const gossip::Changed&, const io::Members& members) {
            tell_members(members);
        };
        handlers.refused = [this](const std::string& why) {
            // On this thread: a flood of bad packets must not queue up on the other.
            if (const auto held_back = refused_.admit(std::chrono::steady_clock::now())) {
                const std::string more =
                    *held_back == 0 ? "" : " (and " + std::to_string(*held_back) + " before it)";
                report(make_error(Errc::Invalid, "gossip: " + why + more));
            }
        };
        auto driver =
            io::GossipDriver::create(ioc_.get_executor(), std::move(options), std::move(handlers));
        if (!driver) {
            return driver.error();
        }
        gossip_ = std::move(*driver);
        return {};
    }

    // Also called after a change of our own meta, which is no Change: the plan reads this node's
    // readiness from the members too.
    void tell_members(const WireSide::Members& members) {
        asio::post(control_, [callbacks = callbacks_, members] { callbacks->on_members(members); });
    }

    // Nothing may fail from here on: what has tasks cannot be destroyed before stop().
    void run() {
        packets_.emplace(
            ioc_.get_executor(), io_l2::PacketDriverOptions(), rng_, packet_callbacks()
        );
        if (gossip_) {
            gossip_->start();
        }
        thread_ = std::thread([this] { ioc_.run(); });
    }

    // Runs `step` with this object on the wire thread.
    template <class Step>
    void post(Step step) {
        asio::post(ioc_, [this, step = std::move(step)]() mutable { step(*this); });
    }

    awaitable<void> stop() {
        // Shared with the wire thread, which may outlive a cancelled wait.
        const auto stopped = std::make_shared<rt::Signal>(control_);
        post([stopped](Thread& self) { self.tasks_.spawn("stop", self.shut_down(stopped)); });
        co_await stopped->wait();
        thread_.join();
    }

    awaitable<Counters> counters() {
        const auto answer = std::make_shared<Answer>(control_);
        post([answer](Thread& self) {
            answer->counters = self.packets_->counters();
            asio::post(self.control_, [answer] { answer->ready.notify(); });
        });
        co_await answer->ready.wait();
        co_return answer->counters;
    }

    io::GossipDriver* gossip() { return gossip_.get(); }
    io_l2::PacketDriver& packets() { return *packets_; }
    void report(const Error& error) {
        asio::post(control_, [callbacks = callbacks_, error] { callbacks->on_error(error); });
    }

private:
    struct Answer {
        explicit Answer(const asio::any_io_executor& control) : ready(control) {}
        rt::Signal ready;
        Counters counters;
    };

    io_l2::PacketDriverCallbacks packet_callbacks() {
        io_l2::PacketDriverCallbacks callbacks;
        callbacks.on_error = [this](const Error& error) {
            report(error);
        };
        callbacks.on_conflict = [this](const l2::Conflict& conflict) {
            asio::post(control_, [callbacks = callbacks_, conflict] {
                callbacks->on_conflict(conflict);
            });
        };
        return callbacks;
    }

    // The others hear that we go before we fall silent, so they announce while we still answer.
    awaitable<void> shut_down(std::shared_ptr<rt::Signal> stopped) {
        if (gossip_) {
            co_await gossip_->leave();
            co_await rt::sleep_for(kTakeOver);
        }
        co_await packets_->stop();
        if (gossip_) {
            co_await gossip_->stop();
        }
        work_.reset();
        asio::post(control_, [stopped] { stopped->notify(); });
    }

    asio::any_io_executor control_;
    std::shared_ptr<const Callbacks> callbacks_;
    Rng rng_;
    LogLimit refused_;
    asio::io_context ioc_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_{ioc_.get_executor()};
    rt::TaskGroup tasks_;
    std::optional<io_l2::PacketDriver> packets_;  // set by run()
    std::unique_ptr<io::GossipDriver> gossip_;
    std::thread thread_;
};

Result<std::unique_ptr<WireSide>> WireSide::start(
    const asio::any_io_executor& control, WireConfig config, Callbacks callbacks
) {
    auto thread = std::make_unique<Thread>(control, config.seed, std::move(callbacks));
    if (config.gossip) {
        const auto opened = thread->open_gossip(std::move(*config.gossip));
        if (!opened) {
            return opened.error();
        }
    }
    thread->run();
    return std::unique_ptr<WireSide>(new WireSide(std::move(thread)));
}

WireSide::WireSide(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
WireSide::~WireSide() = default;

void WireSide::set_peers(std::vector<net::IpAddress> peers) {
    thread_->post([peers = std::move(peers)](Thread& self) {
        if (self.gossip() != nullptr) {
            self.gossip()->set_peers(peers);
        }
    });
}

void WireSide::set_interfaces(std::vector<net::Interface> interfaces) {
    thread_->post([interfaces = std::move(interfaces)](Thread& self) {
        self.packets().set_interfaces(interfaces);
    });
}

void WireSide::set_announcements(std::shared_ptr<const l2::Announcements> announcements) {
    thread_->post([announcements = std::move(announcements)](Thread& self) {
        self.packets().set_announcements(announcements);
    });
}

void WireSide::set_ready(bool ready) {
    thread_->post([ready](Thread& self) {
        if (self.gossip() == nullptr) {
            return;
        }
        NodeMeta meta;
        meta.ready = ready;
        const auto updated = self.gossip()->update_meta(encode(meta));
        if (!updated) {
            self.report(updated.error());
        }
        self.tell_members(self.gossip()->members());
    });
}

awaitable<WireSide::Counters> WireSide::counters() {
    return thread_->counters();
}

awaitable<void> WireSide::stop() {
    return thread_->stop();
}

}  // namespace steelyard::speaker
