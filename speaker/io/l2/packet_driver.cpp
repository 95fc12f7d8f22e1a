#include "speaker/io/l2/packet_driver.hpp"

#include "common/base/check.hpp"
#include "common/rt/asio.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace steelyard::io_l2 {
namespace {

// Frames one wake-up handles before other tasks of the loop get their turn.
constexpr int kReadBudget = 64;

Instant now() {
    return std::chrono::steady_clock::now();
}

l2::BpfProgram filter_for(std::uint16_t ether_type, std::span<const net::IpAddress> addresses) {
    return ether_type == l2::kEtherTypeArp ? l2::arp_filter(addresses) : l2::ndp_filter(addresses);
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
              const Error failure = make_error(Errc::Internal, name + ": " + rt::describe(error));
              callbacks_.on_failed ? callbacks_.on_failed(failure) : callbacks_.on_error(failure);
          }
      }) {
    tasks_.spawn("l2 timer", timer_loop());
}

void PacketDriver::set_interfaces(const std::vector<net::Interface>& interfaces) {
    const std::vector<l2::Port> wanted = l2::eligible_ports(interfaces, options_.exclusions);
    for (auto it = ports_.begin(); it != ports_.end();) {
        const l2::Port& open_port = it->second.port;
        const bool stays = std::any_of(wanted.begin(), wanted.end(), [&](const l2::Port& port) {
            return port.index == open_port.index && port.arp == open_port.arp &&
                   port.ndp == open_port.ndp;
        });
        if (stays) {
            ++it;
        } else {
            close(it->second);
            it = ports_.erase(it);
        }
    }
    station_.set_ports(wanted, now());
    for (const l2::Port& port : wanted) {
        PortSockets& sockets = ports_.try_emplace(port.index, port).first->second;
        sockets.port = port;  // name and MAC may have changed
        refresh_filters(sockets);
        if (port.arp && sockets.arp == nullptr) {
            sockets.arp = open(sockets, l2::kEtherTypeArp);
        }
        if (port.ndp && sockets.ndp == nullptr) {
            sockets.ndp = open(sockets, l2::kEtherTypeIpv6);
        }
        refresh_groups(sockets);
    }
    announce_due();
}

void PacketDriver::set_announcements(std::shared_ptr<const l2::Announcements> announcements) {
    SY_CHECK(announcements != nullptr, "nothing announced is an empty map");
    station_.set_announcements(std::move(announcements), now());
    announce_due();  // first, so that who yields hears it before we answer too
    for (auto& [index, sockets] : ports_) {
        refresh_filters(sockets);
        refresh_groups(sockets);
    }
}

void PacketDriver::set_lease(Instant until) {
    if (station_.set_lease(until, now())) {
        drain();
    }
    announce_due();
}

void PacketDriver::announce_again() {
    station_.announce_all_again(now());
    announce_due();
}

// What waits was sent while we had no lease.
void PacketDriver::drain() {
    for (auto& [index, sockets] : ports_) {
        for (PacketSocket* const socket : {sockets.arp, sockets.ndp}) {
            while (socket != nullptr && socket->receive()) {
                ++frames_received_;
            }
        }
    }
}

PacketSocket* PacketDriver::open(PortSockets& sockets, std::uint16_t ether_type) {
    auto opened = PacketSocket::open(
        executor_,
        sockets.port.index,
        ether_type,
        filter_for(ether_type, sockets.filtered),
        options_.reception
    );
    if (!opened) {
        report_open_failure(opened.error(), sockets.port);
        return nullptr;
    }
    capability_reported_ = false;
    auto socket = std::make_unique<PacketSocket>(std::move(*opened));
    PacketSocket* const borrowed = socket.get();
    const char* const family = ether_type == l2::kEtherTypeArp ? "arp " : "ndp ";
    tasks_.spawn(family + sockets.port.name, read_loop(std::move(socket), sockets.port.index));
    return borrowed;
}

void PacketDriver::report_open_failure(const Error& error, const l2::Port& port) {
    if (is(error, Errc::Unauthorized)) {
        // The same for every interface: one line is enough.
        if (!std::exchange(capability_reported_, true)) {
            callbacks_.on_error(error);
        }
        return;
    }
    callbacks_.on_error(make_error(error.code, "interface " + port.name + ": " + error.context));
}

void PacketDriver::close(PortSockets& sockets) {
    for (PacketSocket* socket : {sockets.arp, sockets.ndp}) {
        if (socket != nullptr) {
            socket->close();  // its read loop ends and destroys it
        }
    }
}

void PacketDriver::refresh_filters(PortSockets& sockets) {
    std::vector<net::IpAddress> addresses = station_.ownership().answered(sockets.port, false);
    if (addresses == sockets.filtered) {
        return;
    }
    sockets.filtered = std::move(addresses);
    const auto renew = [&](PacketSocket* socket, std::uint16_t ether_type) {
        if (socket == nullptr) {
            return;
        }
        if (auto set = socket->set_filter(filter_for(ether_type, sockets.filtered)); !set) {
            callbacks_.on_error(set.error());
        }
    };
    renew(sockets.arp, l2::kEtherTypeArp);
    renew(sockets.ndp, l2::kEtherTypeIpv6);
}

void PacketDriver::refresh_groups(PortSockets& sockets) {
    if (sockets.ndp == nullptr) {
        return;
    }
    std::set<net::IpAddress> groups;
    for (const net::IpAddress& address : sockets.filtered) {
        if (!address.is_v4()) {
            groups.insert(l2::solicited_node_group(address));
        }
    }
    for (const net::IpAddress& group : sockets.groups.set(groups)) {
        // No MLD then, but the interface at least lets the frames in.
        if (auto joined = sockets.ndp->join(l2::multicast_mac(group)); !joined) {
            callbacks_.on_error(make_error(
                joined.error().code,
                "interface " + sockets.port.name + ": joining " + to_string(group) + ": " +
                    joined.error().context
            ));
        }
    }
}

awaitable<void> PacketDriver::read_loop(
    std::unique_ptr<PacketSocket> socket, unsigned interface_index
) {
    while (co_await socket->readable()) {
        const Instant instant = now();
        for (int i = 0; i < kReadBudget; ++i) {
            const auto frame = socket->receive();
            if (!frame) {
                break;
            }
            ++frames_received_;
            station_.on_frame(interface_index, *frame, instant, actions_);
        }
        announce_due();
    }
}

awaitable<void> PacketDriver::timer_loop() {
    for (;;) {
        co_await timer_.async_wait(kAwait);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) {
            co_return;
        }
        announce_due();
    }
}

// Sends what is due and sets the timer; setting it also wakes timer_loop(), which finds nothing
// due.
void PacketDriver::announce_due() {
    station_.on_deadline(now(), actions_);
    apply();
    tell_yielded();
    const Instant deadline = station_.next_deadline().value_or(Instant::max());
    if (deadline != timer_.expiry()) {
        timer_.expires_at(deadline);
    }
}

void PacketDriver::tell_yielded() {
    const std::size_t before = std::exchange(yielding_, yielding());
    if (yielding_ == before) {
        return;
    }
    for (auto& [index, sockets] : ports_) {
        refresh_filters(sockets);
        refresh_groups(sockets);
    }
    if (yielding_ == 0 && callbacks_.on_yielded) {
        callbacks_.on_yielded();
    }
}

void PacketDriver::apply() {
    for (const l2::Action& action : actions_) {
        if (const auto* to_send = std::get_if<l2::Send>(&action)) {
            send(*to_send);
        } else {
            callbacks_.on_conflict(std::get<l2::Conflict>(action));
        }
    }
    actions_.clear();
}

void PacketDriver::send(const l2::Send& send) {
    const auto found = ports_.find(send.interface_index);
    if (found == ports_.end()) {
        return;
    }
    PortSockets& sockets = found->second;
    const bool arp = send.frame.ether_type() == l2::kEtherTypeArp;
    PacketSocket* const socket = arp ? sockets.arp : sockets.ndp;
    if (socket == nullptr) {
        return;
    }
    auto sent = socket->send(send.frame.view());
    if (!sent && !sockets.send_failed) {
        callbacks_.on_error(make_error(
            sent.error().code, "interface " + sockets.port.name + ": " + sent.error().context
        ));
    }
    sockets.send_failed = !sent;
}

awaitable<void> PacketDriver::stop() {
    for (auto& [index, sockets] : ports_) {
        close(sockets);
    }
    ports_.clear();
    tasks_.cancel();
    co_await tasks_.join();
}

}  // namespace steelyard::io_l2
