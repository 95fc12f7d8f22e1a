#include "speaker/io/gossip/gossip_driver.hpp"

#include "common/base/check.hpp"
#include "common/rt/sleep.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include <openssl/rand.h>

#include <algorithm>
#include <utility>

namespace steelyard::io {

using namespace std::chrono_literals;
using gossip::Actions;
using gossip::StreamId;

namespace {

constexpr Duration kLeaveLimit = 1s;
constexpr Duration kErrorPause = 10ms;
constexpr Duration kIdle = 1h;
constexpr int kBindTries = 8;

Instant clock_now() {
    return std::chrono::steady_clock::now();
}

void random_bytes(std::span<std::byte> out) {
    auto* data = reinterpret_cast<unsigned char*>(out.data());
    SY_CHECK(RAND_bytes(data, static_cast<int>(out.size())) == 1, "no randomness, no encryption");
}

std::uint64_t random_seed() {
    std::array<std::byte, 8> bytes{};
    random_bytes(bytes);
    std::uint64_t seed = 0;
    for (const std::byte byte : bytes) {
        seed = seed << 8U | std::to_integer<std::uint64_t>(byte);
    }
    return seed;
}

std::uint32_t seconds_since_1970() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count()
    );
}

asio::ip::address to_asio(const net::IpAddress& address) {
    if (address.is_v4()) {
        return asio::ip::address_v4(address.v4_host_order());
    }
    asio::ip::address_v6::bytes_type bytes;
    const auto from = address.bytes();
    std::copy(from.begin(), from.end(), bytes.begin());
    return asio::ip::address_v6(bytes);
}

template <class Endpoint>
net::Endpoint from_asio(const Endpoint& endpoint) {
    const asio::ip::address address = endpoint.address();
    if (address.is_v4()) {
        return {net::IpAddress::v4(address.to_v4().to_uint()), endpoint.port()};
    }
    return {net::IpAddress::v6(address.to_v6().to_bytes()), endpoint.port()};
}

template <class Protocol>
typename Protocol::endpoint to_asio(const net::Endpoint& endpoint) {
    return {to_asio(endpoint.address), endpoint.port};
}

// Binds TCP and UDP to the same port.
Result<> bind_both(
    asio::ip::tcp::acceptor& acceptor, asio::ip::udp::socket& socket, const net::Endpoint& wanted
) {
    boost::system::error_code ec;
    const auto attempt = [&](auto step) {
        if (!ec) {
            step();
        }
    };
    // A free TCP port may be taken for UDP; only a port of our own choice is worth another try.
    const int tries = wanted.port == 0 ? kBindTries : 1;
    for (int i = 0; i < tries; ++i) {
        ec = {};
        const auto tcp = to_asio<asio::ip::tcp>(wanted);
        attempt([&] { acceptor.open(tcp.protocol(), ec); });
        attempt([&] { acceptor.set_option(asio::socket_base::reuse_address(true), ec); });
        attempt([&] { acceptor.bind(tcp, ec); });
        attempt([&] { acceptor.listen(asio::socket_base::max_listen_connections, ec); });
        attempt([&] {
            const asio::ip::udp::endpoint udp(tcp.address(), acceptor.local_endpoint().port());
            socket.open(udp.protocol(), ec);
            attempt([&] { socket.bind(udp, ec); });
            attempt([&] { socket.non_blocking(true, ec); });
        });
        if (!ec) {
            return {};
        }
        boost::system::error_code ignored;
        acceptor.close(ignored);
        socket.close(ignored);
    }
    return make_error(ec, "gossip address " + to_string(wanted) + ": cannot bind: " + ec.message());
}

}  // namespace

Result<std::unique_ptr<GossipDriver>> GossipDriver::create(
    const asio::any_io_executor& executor, Options options, Handlers handlers
) {
    gossip::Config& config = options.config;
    if (config.address.address.is_unspecified()) {
        config.address.address = options.bind;
    }
    Tcp::acceptor acceptor(executor);
    Udp::socket socket(executor);
    const net::Endpoint wanted{options.bind, config.address.port};
    if (auto bound = bind_both(acceptor, socket, wanted); !bound) {
        return bound.error();
    }
    config.address.port = acceptor.local_endpoint().port();
    config.first_incarnation = seconds_since_1970();
    if (auto valid = gossip::validate(config); !valid) {
        return valid.error();
    }
    const std::uint64_t seed = options.seed == 0 ? random_seed() : options.seed;
    return std::unique_ptr<GossipDriver>(new GossipDriver(
        executor,
        std::move(config),
        seed,
        std::move(handlers),
        std::move(acceptor),
        std::move(socket)
    ));
}

GossipDriver::GossipDriver(
    const asio::any_io_executor& executor,
    gossip::Config config,
    std::uint64_t seed,
    Handlers handlers,
    Tcp::acceptor acceptor,
    Udp::socket socket
)
    : executor_(executor),
      handlers_(std::move(handlers)),
      core_(std::move(config), Rng(seed), random_bytes, clock_now()),
      acceptor_(std::move(acceptor)),
      socket_(std::move(socket)),
      timer_(executor),
      leave_timer_(executor),
      tasks_(executor, [this](const std::string& name, const std::exception_ptr& error) {
          on_task_end(name, error);
      }) {
    publish();
}

// Every failure that can be lived with is handled where it happens. What is thrown is not, and a
// member that goes on half deaf would be worse than none.
void GossipDriver::on_task_end(const std::string& name, const std::exception_ptr& error) {
    if (error && !stopping_ && handlers_.failed) {
        handlers_.failed(name + ": " + rt::describe(error));
    }
}

void GossipDriver::start() {
    tasks_.spawn("gossip packets", receive_packets());
    tasks_.spawn("gossip streams", accept_streams());
    tasks_.spawn("gossip timer", run_timer());
}

void GossipDriver::set_peers(const std::vector<net::IpAddress>& peers) {
    std::vector<net::Endpoint> endpoints;
    endpoints.reserve(peers.size());
    for (const net::IpAddress& peer : peers) {
        endpoints.push_back({peer, address().port});
    }
    set_peers(endpoints);
}

void GossipDriver::set_peers(const std::vector<net::Endpoint>& peers) {
    core_.set_peers(peers, clock_now());
    rearm();
}

Result<> GossipDriver::update_meta(wire::Bytes meta) {
    auto updated = core_.update_meta(std::move(meta), clock_now());
    publish();
    rearm();
    return updated;
}

Result<> GossipDriver::set_keys(gossip_wire::KeyRing keys) {
    return core_.set_keys(std::move(keys));
}

awaitable<void> GossipDriver::leave() {
    leave_timer_.expires_after(kLeaveLimit);
    Actions actions;
    core_.leave(clock_now(), actions);
    apply(actions);
    if (!left_) {
        // LeaveFinished ends the wait early; both ways out are fine.
        (void)co_await leave_timer_.async_wait(kAwait);
    }
}

awaitable<void> GossipDriver::stop() {
    stopping_ = true;
    tasks_.cancel();
    boost::system::error_code ignored;
    for (const auto& [id, connection] : connections_) {
        connection->socket.close(ignored);
    }
    co_await tasks_.join();
    acceptor_.close(ignored);
    socket_.close(ignored);
}

awaitable<void> GossipDriver::receive_packets() {
    for (;;) {
        Udp::endpoint from;
        const auto [ec, size] =
            co_await socket_.async_receive_from(asio::buffer(buffer_), from, kAwait);
        if (ec) {
            // An ICMP error of an earlier packet, say; it must not turn this into a busy loop.
            co_await rt::sleep_for(kErrorPause);
            continue;
        }
        Actions actions;
        core_.on_packet(from_asio(from), std::span(buffer_).first(size), clock_now(), actions);
        apply(actions);
    }
}

awaitable<void> GossipDriver::accept_streams() {
    for (;;) {
        const auto connection = std::make_shared<Connection>(executor_);
        Tcp::endpoint from;
        const auto [ec] = co_await acceptor_.async_accept(connection->socket, from, kAwait);
        if (ec) {
            co_await rt::sleep_for(kErrorPause);
            continue;
        }
        const auto id = core_.on_stream_accepted(from_asio(from));
        if (!id) {
            report("gossip stream from " + to_string(from_asio(from)) + ": too many at once");
            continue;
        }
        connection->deadline = clock_now() + core_.config().timing.stream_timeout;
        connections_.emplace(*id, connection);
        tasks_.spawn("gossip stream", serve_stream(*id, connection));
        rearm();
    }
}

awaitable<void> GossipDriver::serve_stream(StreamId id, ConnectionPtr connection) {
    co_await exchange(id, connection);
    close_stream(id, *connection);
}

awaitable<void> GossipDriver::open_stream(gossip::OpenStream order, ConnectionPtr connection) {
    const auto to = to_asio<Tcp>(order.to);
    const auto [connect_error] = co_await connection->socket.async_connect(to, kAwait);
    if (!connect_error) {
        connection->outbox.push_back(std::move(order.request));
        co_await exchange(order.id, connection);
    }
    close_stream(order.id, *connection);
}

// Writes what there is to write, then feeds the core until it closes the stream, the peer does, or
// the deadline closes the socket under us.
awaitable<void> GossipDriver::exchange(StreamId id, ConnectionPtr connection) {
    std::array<std::byte, 16384> piece;
    for (;;) {
        const auto outbox = std::exchange(connection->outbox, {});
        for (const wire::Bytes& bytes : outbox) {
            const auto [ec, written] =
                co_await asio::async_write(connection->socket, asio::buffer(bytes), kAwait);
            if (ec) {
                co_return;
            }
        }
        if (connection->closing) {
            co_return;
        }
        const auto [ec, size] =
            co_await connection->socket.async_read_some(asio::buffer(piece), kAwait);
        if (ec) {
            co_return;
        }
        Actions actions;
        core_.on_stream_data(id, std::span(piece).first(size), clock_now(), actions);
        apply(actions);
    }
}

void GossipDriver::close_stream(StreamId id, Connection& connection) {
    boost::system::error_code ignored;
    connection.socket.close(ignored);
    core_.on_stream_closed(id);
    connections_.erase(id);
}

awaitable<void> GossipDriver::run_timer() {
    for (;;) {
        timer_.expires_at(next_due());
        const auto [ec] = co_await timer_.async_wait(kAwait);
        // Whether it expired or was re-armed, what is due is due.
        (void)ec;
        on_due(clock_now());
    }
}

void GossipDriver::on_due(Instant now) {
    for (const auto& [id, connection] : connections_) {
        if (connection->deadline <= now) {
            boost::system::error_code ignored;
            connection->socket.close(ignored);
            connection->deadline = now + kIdle;
        }
    }
    Actions actions;
    if (const auto due = core_.next_deadline(); due && *due <= now) {
        core_.on_deadline(now, actions);
    }
    apply(actions);
}

Instant GossipDriver::next_due() const {
    Instant due = clock_now() + kIdle;
    due = std::min(due, core_.next_deadline().value_or(due));
    for (const auto& [id, connection] : connections_) {
        due = std::min(due, connection->deadline);
    }
    return due;
}

void GossipDriver::rearm() {
    if (next_due() < timer_.expiry()) {
        timer_.cancel();
    }
}

void GossipDriver::send(const gossip::SendPacket& packet) {
    boost::system::error_code ec;
    socket_.send_to(asio::buffer(packet.bytes), to_asio<Udp>(packet.to), 0, ec);
    // A packet that cannot go now is a lost packet, which the protocol is made for.
}

void GossipDriver::spawn_stream(gossip::OpenStream order) {
    if (stopping_) {
        core_.on_stream_closed(order.id);
        return;
    }
    const auto connection = std::make_shared<Connection>(executor_);
    connection->deadline = order.deadline;
    connections_.emplace(order.id, connection);
    tasks_.spawn("gossip stream", open_stream(std::move(order), connection));
}

void GossipDriver::report(const std::string& why) {
    if (handlers_.refused) {
        handlers_.refused(why);
    }
}

void GossipDriver::publish() {
    members_ = std::make_shared<const std::vector<gossip::Member>>(core_.members());
}

void GossipDriver::apply(Actions& actions) {
    const bool changed = std::any_of(actions.begin(), actions.end(), [](const auto& action) {
        return std::holds_alternative<gossip::Changed>(action);
    });
    if (changed) {
        publish();
    }
    for (gossip::Action& action : actions) {
        if (const auto* packet = std::get_if<gossip::SendPacket>(&action)) {
            send(*packet);
        } else if (auto* order = std::get_if<gossip::OpenStream>(&action)) {
            spawn_stream(std::move(*order));
        } else if (auto* reply = std::get_if<gossip::SendStream>(&action)) {
            if (const auto to = connections_.find(reply->id); to != connections_.end()) {
                to->second->outbox.push_back(std::move(reply->bytes));
            }
        } else if (const auto* close = std::get_if<gossip::CloseStream>(&action)) {
            if (const auto which = connections_.find(close->id); which != connections_.end()) {
                which->second->closing = true;
            }
        } else if (const auto* change = std::get_if<gossip::Changed>(&action)) {
            if (handlers_.changed) {
                handlers_.changed(*change, members_);
            }
        } else if (const auto* conflict = std::get_if<gossip::Conflict>(&action)) {
            report(
                "member " + conflict->member.name + ": is at " +
                to_string(conflict->member.address) + ", but " + to_string(conflict->other) +
                " claims that name too"
            );
        } else if (const auto* refused = std::get_if<gossip::Refused>(&action)) {
            report("from " + to_string(refused->from) + ": " + refused->why);
        } else if (std::holds_alternative<gossip::LeaveFinished>(action)) {
            left_ = true;
            leave_timer_.cancel();
        }
    }
    rearm();
}

}  // namespace steelyard::io
