#include "speaker/io/l2/packet_driver.hpp"

#include "common/base/check.hpp"
#include "common/rt/asio.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace steelyard::io_l2 {
namespace {

// Frames one wake-up handles before other tasks of the loop get their turn.
constexpr int kReadBudget = 64;

Instant now() {
    return std::chrono::steady_clock::now();
}

}  // namespace

PacketDriver::PacketDriver(
    const asio::any_io_executor& executor,
    PacketDriverOptions options,
    Rng& rng,
    PacketDriverCallbacks callbacks
)
    : executor_(executor),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      station_(options_.announcer, rng),
      timer_(executor, Instant::max()),
      tasks_(executor, [this](const std::string& name, const std::exception_ptr& error) {
          if (error) {
              const auto& tell = callbacks_.on_failed ? callbacks_.on_failed : callbacks_.on_error;
              tell(make_error(Errc::Internal, name + ": " + rt::describe(error)));
          }
      }) {
    tasks_.spawn("l2 timer", timer_loop());
}

void PacketDriver::set_interfaces(const std::vector<net::Interface>& interfaces) {
    const std::vector<l2::Port> wanted = l2::eligible_ports(interfaces, options_.exclusions);
    for (auto it = ports_.begin(); it != ports_.end();) {
        const bool stays = std::any_of(wanted.begin(), wanted.end(), [&](const l2::Port& port) {
            return port.index == it->first;
        });
        if (stays) {
            ++it;
        } else {
            it->second.close();
            it = ports_.erase(it);
        }
    }
    station_.set_ports(wanted, now());
    for (const l2::Port& port : wanted) {
        PortSockets& sockets =
            ports_
                .try_emplace(
                    port.index, executor_, port, options_.reception, port_callbacks(port.index)
                )
                .first->second;
        sockets.set_port(port, now());
        refresh(sockets);
    }
    run_due();
}

PortSockets::Callbacks PacketDriver::port_callbacks(unsigned interface_index) {
    PortSockets::Callbacks callbacks;
    callbacks.read = [this,
                      interface_index](std::unique_ptr<PacketSocket> socket, l2::Channel channel) {
        capability_reported_ = false;
        tasks_.spawn(
            "l2 reader " + std::to_string(interface_index),
            read_loop(std::move(socket), interface_index, channel)
        );
    };
    callbacks.on_error = [this, interface_index](const Error& error) {
        const auto sockets = ports_.find(interface_index);
        if (sockets != ports_.end()) {
            report(error, sockets->second);
        }
    };
    return callbacks;
}

void PacketDriver::report(const Error& error, const PortSockets& sockets) {
    if (is(error, Errc::Unauthorized)) {
        // The same for every interface: one line is enough.
        if (!std::exchange(capability_reported_, true)) {
            callbacks_.on_error(error);
        }
        return;
    }
    callbacks_.on_error(
        make_error(error.code, "interface " + sockets.port().name + ": " + error.context)
    );
}

void PacketDriver::set_announcements(std::shared_ptr<const l2::Announcements> announcements) {
    SY_CHECK(announcements != nullptr, "nothing announced is an empty map");
    station_.set_announcements(std::move(announcements), now());
    run_due();  // first, so that who yields hears it before we answer too
    refresh_all();
    run_due();
}

void PacketDriver::set_lease(Instant until) {
    if (station_.set_lease(until, now())) {
        for (auto& [index, sockets] : ports_) {
            frames_received_ += sockets.drain();
        }
    }
    run_due();
}

void PacketDriver::announce_again() {
    station_.announce_all_again(now());
    run_due();
}

void PacketDriver::refresh(PortSockets& sockets) {
    const l2::Ownership& ownership = station_.ownership();
    PortSockets::Wanted wanted;
    wanted.answered = ownership.answered(sockets.port(), false);
    wanted.echo = ownership.answered(sockets.port(), true);
    sockets.set_wanted(std::move(wanted), now());
}

void PacketDriver::refresh_all() {
    for (auto& [index, sockets] : ports_) {
        refresh(sockets);
    }
}

awaitable<void> PacketDriver::read_loop(
    std::unique_ptr<PacketSocket> socket, unsigned interface_index, l2::Channel channel
) {
    for (;;) {
        const bool ready = co_await socket->readable();
        if (!ready) {
            co_return;
        }
        read(*socket, interface_index, channel);
    }
}

void PacketDriver::read(PacketSocket& socket, unsigned interface_index, l2::Channel channel) {
    ++wake_ups_;
    const Instant instant = now();
    for (int i = 0; i < kReadBudget; ++i) {
        const auto frame = socket.receive();
        if (!frame) {
            break;
        }
        ++frames_received_;
        station_.on_frame(interface_index, *frame, instant, actions_);
    }
    if (socket.is_dead()) {
        const auto sockets = ports_.find(interface_index);
        if (sockets != ports_.end()) {
            sockets->second.on_dead(&socket, channel, instant);
        }
        socket.close();
    }
    run_due();
}

awaitable<void> PacketDriver::timer_loop() {
    for (;;) {
        co_await timer_.async_wait(kAwait);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) {
            co_return;
        }
        run_due();
    }
}

// Does what is due and sets the timer; setting it also wakes timer_loop(), which finds nothing due.
void PacketDriver::run_due() {
    for (auto& [index, sockets] : ports_) {
        if (sockets.on_deadline(now())) {
            station_.announce_again(index, now());
        }
    }
    station_.on_deadline(now(), actions_);
    apply();
    tell_yielded();
    Instant deadline = station_.next_deadline().value_or(Instant::max());
    for (const auto& [index, sockets] : ports_) {
        deadline = std::min(deadline, sockets.next_deadline());
    }
    if (deadline != timer_.expiry()) {
        timer_.expires_at(deadline);
    }
}

// Filters are narrowed once, at the end: with thousands of addresses to give up, one at a time,
// making them anew each time would keep this thread from its heartbeats.
void PacketDriver::tell_yielded() {
    const std::size_t before = std::exchange(yielding_, yielding());
    if (before == 0 || yielding_ != 0) {
        return;
    }
    refresh_all();
    if (callbacks_.on_yielded) {
        callbacks_.on_yielded();
    }
}

void PacketDriver::apply() {
    for (const l2::Action& action : actions_) {
        if (const auto* conflict = std::get_if<l2::Conflict>(&action)) {
            callbacks_.on_conflict(*conflict);
            continue;
        }
        const auto& to_send = std::get<l2::Send>(action);
        const auto sockets = ports_.find(to_send.interface_index);
        if (sockets != ports_.end()) {
            sockets->second.send(to_send.frame, now());
        }
    }
    actions_.clear();
}

awaitable<void> PacketDriver::stop() {
    for (auto& [index, sockets] : ports_) {
        sockets.close();
    }
    ports_.clear();
    tasks_.cancel();
    co_await tasks_.join();
}

}  // namespace steelyard::io_l2
