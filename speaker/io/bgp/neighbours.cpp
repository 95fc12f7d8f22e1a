#include "speaker/io/bgp/neighbours.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::io {
namespace {

constexpr Duration kRetry = std::chrono::seconds(10);
// Packets of one interface read in one turn of the loop.
constexpr int kPacketsAtOnce = 64;

Instant clock_now() {
    return std::chrono::steady_clock::now();
}

bgp_discovery::Discovery::Link link_of(const net::Interface& interface) {
    bgp_discovery::Discovery::Link link;
    if (interface.mac != net::MacAddress{}) {
        link.mac = interface.mac;
    }
    for (const net::Interface::Address& own : interface.addresses) {
        if (!own.ip.is_v4() && own.ip.is_link_local()) {
            link.own.push_back(own.ip);
        }
    }
    return link;
}

}  // namespace

Neighbours::Neighbours(
    const asio::any_io_executor& executor, Rng& rng, rt::TaskGroup& tasks, Handlers handlers
)
    : executor_(executor), rng_(rng), tasks_(tasks), handlers_(std::move(handlers)) {}

void Neighbours::set(
    const std::set<std::string>& wanted, const std::vector<net::Interface>& interfaces, Instant now
) {
    const auto usable = [&](const std::string& name) -> const net::Interface* {
        const auto found =
            std::find_if(interfaces.begin(), interfaces.end(), [&](const net::Interface& one) {
                return one.name == name && one.up;
            });
        return found == interfaces.end() ? nullptr : &*found;
    };
    std::vector<std::string> lost;
    for (auto it = ports_.begin(); it != ports_.end();) {
        const net::Interface* interface = usable(it->first);
        const bool same = interface != nullptr && interface->index == it->second->index;
        if (same && wanted.contains(it->first)) {
            it->second->discovery.set_link(link_of(*interface));
            ++it;
            continue;
        }
        it->second->closed = true;
        it->second->socket.close();
        lost.push_back(it->first);
        it = ports_.erase(it);
    }
    unopened_.clear();
    retry_at_ = Instant::max();
    for (const std::string& name : wanted) {
        const net::Interface* interface = usable(name);
        if (interface != nullptr && !ports_.contains(name)) {
            open(*interface, now);
        }
    }
    for (const std::string& name : lost) {
        handlers_.on_change(name);
    }
}

void Neighbours::open(const net::Interface& interface, Instant now) {
    auto socket = RouterSocket::open(executor_, interface.name, interface.index);
    if (!socket) {
        const std::string why = to_string(socket.error());
        if (std::exchange(trouble_[interface.name], why) != why) {
            handlers_.on_trouble(why);
        }
        unopened_.push_back(interface);
        retry_at_ = now + kRetry;
        return;
    }
    trouble_.erase(interface.name);
    bgp_discovery::Discovery discovery(link_of(interface), Rng(rng_.next()), now);
    const auto port =
        std::make_shared<Port>(std::move(*socket), std::move(discovery), interface.index);
    ports_.emplace(interface.name, port);
    tasks_.spawn("bgp discovery", read_loop(interface.name, port));
}

awaitable<void> Neighbours::read_loop(std::string interface, PortPtr port) {
    while (co_await port->socket.readable()) {
        for (int i = 0; i < kPacketsAtOnce && !port->closed; ++i) {
            const auto packet = port->socket.receive();
            if (!packet) {
                break;
            }
            const bool changed = port->discovery.on_packet(
                packet->message, packet->source, packet->hop_limit, clock_now()
            );
            if (changed) {
                handlers_.on_change(interface);
            }
            if (!port->closed) {
                on_deadline(clock_now());
            }
        }
        if (port->closed) {
            co_return;
        }
    }
}

void Neighbours::set_in_use(const std::string& interface, bool in_use) {
    if (const auto port = ports_.find(interface); port != ports_.end()) {
        port->second->discovery.set_in_use(in_use);
    }
}

void Neighbours::meet(const std::string& interface, const net::IpAddress& address) {
    if (const auto port = ports_.find(interface); port != ports_.end()) {
        port->second->discovery.meet(address);
    }
}

std::optional<net::IpAddress> Neighbours::neighbour(const std::string& interface) const {
    const auto port = ports_.find(interface);
    return port == ports_.end() ? std::nullopt : port->second->discovery.neighbour();
}

void Neighbours::on_deadline(Instant now) {
    if (now >= retry_at_) {
        retry_at_ = Instant::max();
        for (const net::Interface& interface : std::exchange(unopened_, {})) {
            open(interface, now);
        }
    }
    std::vector<bgp_discovery::Packet> due;
    for (const auto& [name, port] : ports_) {
        due.clear();
        port->discovery.on_deadline(now, due);
        for (const bgp_discovery::Packet& packet : due) {
            port->socket.send(packet.destination, packet.bytes);
        }
    }
}

Instant Neighbours::next_deadline() const {
    Instant due = retry_at_;
    for (const auto& [name, port] : ports_) {
        due = std::min(due, port->discovery.next_deadline());
    }
    return due;
}

void Neighbours::close() {
    for (const auto& [name, port] : ports_) {
        port->closed = true;
        port->socket.close();
    }
    ports_.clear();
    unopened_.clear();
    retry_at_ = Instant::max();
}

}  // namespace steelyard::io
