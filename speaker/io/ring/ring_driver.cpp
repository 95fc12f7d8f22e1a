#include "speaker/io/ring/ring_driver.hpp"

#include "common/rt/sleep.hpp"

#include <boost/asio/buffer.hpp>

#include <openssl/rand.h>

#include <algorithm>
#include <utility>

namespace steelyard::io {

using namespace std::chrono_literals;

namespace {

constexpr Duration kErrorPause = 10ms;
constexpr Duration kIdle = 1h;
// A verdict is one packet for every member at once; reading may have to wait for a busy thread.
constexpr int kSocketBuffer = 1 << 20;
constexpr int kReadAtOnce = 256;

Instant clock_now() {
    return std::chrono::steady_clock::now();
}

Result<std::uint64_t> random_seed() {
    std::uint64_t seed = 0;
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&seed), sizeof seed) != 1) {
        return make_error(Errc::Unsupported, "watch ring: the system gives no random numbers");
    }
    return seed;
}

asio::ip::udp::endpoint to_asio(const net::Endpoint& endpoint) {
    if (endpoint.address.is_v4()) {
        return {asio::ip::address_v4(endpoint.address.v4_host_order()), endpoint.port};
    }
    asio::ip::address_v6::bytes_type bytes;
    const auto from = endpoint.address.bytes();
    std::copy(from.begin(), from.end(), bytes.begin());
    return {asio::ip::address_v6(bytes), endpoint.port};
}

net::Endpoint from_asio(const asio::ip::udp::endpoint& endpoint) {
    const asio::ip::address address = endpoint.address();
    if (address.is_v4()) {
        return {net::IpAddress::v4(address.to_v4().to_uint()), endpoint.port()};
    }
    return {net::IpAddress::v6(address.to_v6().to_bytes()), endpoint.port()};
}

boost::system::error_code bind_to(asio::ip::udp::socket& socket, const net::Endpoint& wanted) {
    boost::system::error_code ec;
    const asio::ip::udp::endpoint endpoint = to_asio(wanted);
    socket.open(endpoint.protocol(), ec);
    if (!ec) {
        socket.bind(endpoint, ec);
    }
    if (!ec) {
        socket.non_blocking(true, ec);
    }
    // The kernel may grant less; that is no reason to fail.
    boost::system::error_code ignored;
    socket.set_option(asio::socket_base::send_buffer_size(kSocketBuffer), ignored);
    socket.set_option(asio::socket_base::receive_buffer_size(kSocketBuffer), ignored);
    return ec;
}

}  // namespace

Result<std::unique_ptr<RingDriver>> RingDriver::create(
    const asio::any_io_executor& executor, Options options, Handlers handlers
) {
    if (auto valid = ring::validate(options.config); !valid) {
        return valid.error();
    }
    const net::Endpoint wanted{options.bind, options.port};
    Udp::socket socket(executor);
    if (const auto ec = bind_to(socket, wanted)) {
        return make_error(
            ec, "watch ring address " + to_string(wanted) + ": cannot bind: " + ec.message()
        );
    }
    std::uint64_t seed = options.seed;
    if (seed == 0) {
        const auto drawn = random_seed();
        if (!drawn) {
            return drawn.error();
        }
        seed = *drawn;
    }
    return std::unique_ptr<RingDriver>(new RingDriver(
        executor, std::move(options.config), seed, std::move(handlers), std::move(socket)
    ));
}

RingDriver::RingDriver(
    const asio::any_io_executor& executor,
    ring::Config config,
    std::uint64_t seed,
    Handlers handlers,
    Udp::socket socket
)
    : handlers_(std::move(handlers)),
      core_(std::move(config), Rng(seed), clock_now()),
      socket_(std::move(socket)),
      timer_(executor),
      told_lease_(core_.lease()),
      tasks_(executor, [this](const std::string& name, const std::exception_ptr& error) {
          if (error && handlers_.failed) {
              handlers_.failed(name + ": " + rt::describe(error));
          }
      }) {
    boost::system::error_code ec;
    address_ = from_asio(socket_.local_endpoint(ec));
}

void RingDriver::start() {
    tasks_.spawn("ring packets", receive_packets());
    tasks_.spawn("ring timer", run_timer());
}

void RingDriver::set_peers(const std::vector<ring::Peer>& peers) {
    // Whatever waits in the socket was sent by and to the peers of before.
    read_what_came();
    core_.set_peers(peers, clock_now(), actions_);
    apply();
}

void RingDriver::set_keys(const gossip_wire::KeyRing& keys) {
    core_.set_keys(keys);
}

void RingDriver::leave() {
    core_.leave(clock_now(), actions_);
    apply();
}

awaitable<void> RingDriver::stop() {
    tasks_.cancel();
    co_await tasks_.join();
    boost::system::error_code ignored;
    socket_.close(ignored);
}

awaitable<void> RingDriver::receive_packets() {
    for (;;) {
        const auto [ec] = co_await socket_.async_wait(Udp::socket::wait_read, kAwait);
        if (ec) {
            co_await rt::sleep_for(kErrorPause);
            continue;
        }
        read_what_came();
        apply();
    }
}

// Bounded, so that a flood leaves the thread to others in between.
void RingDriver::read_what_came() {
    for (int i = 0; i < kReadAtOnce; ++i) {
        Udp::endpoint from;
        boost::system::error_code ec;
        const std::size_t size = socket_.receive_from(asio::buffer(buffer_), from, 0, ec);
        if (ec == asio::error::would_block) {
            return;
        }
        if (!ec) {  // else an ICMP error of an earlier packet: that one is lost
            core_.on_packet(from_asio(from), std::span(buffer_).first(size), clock_now(), actions_);
        }
    }
}

awaitable<void> RingDriver::run_timer() {
    for (;;) {
        timer_.expires_at(std::min(core_.next_deadline(), clock_now() + kIdle));
        const auto [ec] = co_await timer_.async_wait(kAwait);
        // Whether it expired or was re-armed, what is due is due. What waits in the socket comes
        // first: a node that spoke is not silent because we were slow to listen.
        (void)ec;
        read_what_came();
        const Instant now = clock_now();
        if (core_.next_deadline() <= now) {
            core_.on_deadline(now, actions_);
        }
        apply();
    }
}

void RingDriver::rearm() {
    if (core_.next_deadline() < timer_.expiry()) {
        timer_.cancel();
    }
}

// Handlers may call back in, so the actions are taken out before any of them runs.
void RingDriver::apply() {
    ring::Actions actions = std::exchange(actions_, std::exchange(spare_, {}));
    bool changed = false;
    for (const ring::Action& action : actions) {
        if (const auto* packet = std::get_if<ring::SendPacket>(&action)) {
            boost::system::error_code ignored;  // a packet that cannot go now is a lost packet
            socket_.send_to(asio::buffer(packet->bytes), to_asio(packet->to), 0, ignored);
        } else if (std::holds_alternative<ring::Changed>(action)) {
            changed = true;
        } else if (const auto* refused = std::get_if<ring::Refused>(&action)) {
            if (handlers_.refused) {
                handlers_.refused("from " + to_string(refused->from) + ": " + refused->why);
            }
        }
    }
    actions.clear();
    spare_ = std::move(actions);
    rearm();
    if (core_.lease() != told_lease_) {
        told_lease_ = core_.lease();
        if (handlers_.lease) {
            handlers_.lease(told_lease_);
        }
    }
    if (changed && handlers_.changed) {
        handlers_.changed(core_.unreachable());
    }
}

}  // namespace steelyard::io
