#include "speaker/io/bgp/driver_impl.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::io {

using namespace std::chrono_literals;

namespace {

// What is left to say when the service is gone: withdrawals, then NOTIFICATIONs.
constexpr Duration kWithdrawLimit = 1s;
constexpr Duration kCloseLimit = 2s;

}  // namespace

void BgpDriver::Impl::set_draining(bool draining) {
    if (draining == draining_ || stopping_) {
        return;
    }
    draining_ = draining;
    rib_.set_graceful_shutdown(draining);
    if (draining) {
        drained_at_ = bgp_clock_now() + options_.drain_wait;
    } else {
        drained_at_ = Instant::max();
        rib_.resume();
    }
    pump_all();
    rearm();
}

void BgpDriver::Impl::on_drained(Instant now) {
    (void)now;
    drained_at_ = Instant::max();
    rib_.withdraw_all();
    pump_all();
}

// Looks again whenever a link closed or a peer came in sync.
awaitable<void> BgpDriver::Impl::wait_until(std::function<bool()> done, Duration limit) {
    const Instant end = bgp_clock_now() + limit;
    while (!done() && bgp_clock_now() < end) {
        stop_timer_.expires_at(end);
        const auto [ec] = co_await stop_timer_.async_wait(kAwait);
        (void)ec;  // expired or cancelled: the condition tells
    }
}

// RFC 8326: first the routes as the least preferred, so that routers with another way take it while
// this one still works; then no routes.
awaitable<void> BgpDriver::Impl::take_leave(std::vector<BgpPeerPtr> leaving) {
    for (const BgpPeerPtr& peer : leaving) {
        if (peer->rib) {
            rib_.set_graceful_shutdown(*peer->rib, true);
        }
    }
    pump_all();
    const std::function<bool()> never = [] {
        return false;
    };
    co_await wait_until(never, options_.drain_wait);
    for (const BgpPeerPtr& peer : leaving) {
        if (peer->rib) {
            rib_.withdraw_all(*peer->rib);
        }
    }
    pump_all();
    const std::function<bool()> all_told = [&leaving] {
        return std::all_of(leaving.begin(), leaving.end(), [](const BgpPeerPtr& peer) {
            return !peer->rib || peer->in_sync;
        });
    };
    co_await wait_until(all_told, kWithdrawLimit);
}

void BgpDriver::Impl::stop_peer(const BgpPeerPtr& peer, const bgp::Stop& how) {
    bgp::Actions actions;
    peer->core.stop(how, bgp_clock_now(), actions);
    obey(peer, actions);
}

awaitable<void> BgpDriver::Impl::stop(StopMode mode, std::string text) {
    stopping_ = true;
    drained_at_ = Instant::max();
    listeners_.close();
    neighbours_.close();
    const bgp::Stop shutdown{bgp::Stop::Kind::Shutdown, std::move(text)};
    std::vector<BgpPeerPtr> leaving;
    for (const auto& [name, peer] : snapshot(peers_)) {
        if (mode == StopMode::Restart && peer->core.restarts_gracefully()) {
            stop_peer(peer, {bgp::Stop::Kind::GracefulRestart, {}});
        } else if (peer->rib && rib_.prefixes(*peer->rib) > 0) {
            leaving.push_back(peer);
        } else {
            stop_peer(peer, shutdown);
        }
    }
    if (!leaving.empty()) {
        co_await take_leave(leaving);
    }
    for (const BgpPeerPtr& peer : leaving) {
        stop_peer(peer, shutdown);
    }
    const std::function<bool()> all_closed = [this] {
        return closing_.empty();
    };
    co_await wait_until(all_closed, kCloseLimit);
    for (const LinkPtr& link : snapshot(closing_)) {
        close(link);
    }
    for (const auto& [name, peer] : peers_) {
        for (const auto& [id, link] : snapshot(peer->links)) {
            close(link);
        }
    }
    tasks_.cancel();
    co_await tasks_.join();
}

}  // namespace steelyard::io
