#pragma once

#include "common/base/error.hpp"
#include "common/rt/asio.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/gossip/membership.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

// Runs a gossip::Membership on UDP and TCP sockets of one address and port. Everything happens on
// the executor's one thread; nothing blocks. Lifetime: create(), start(), [leave()], stop(), then
// it may be destroyed. Handlers are called on that thread and may call back in, except stop().
namespace steelyard::io {

using Members = std::shared_ptr<const std::vector<gossip::Member>>;

class GossipDriver {
public:
    struct Options {
        // address.port 0 picks a free port; an unspecified address stands for `bind`. Incarnations
        // start with the seconds since 1970, so that each life's are higher than the last one's.
        gossip::Config config;
        net::IpAddress bind;
        std::uint64_t seed = 0;  // whom to talk to when; 0 draws one
    };
    struct Handlers {
        // After each change, with everyone as they are now, ourselves included.
        std::function<void(const gossip::Changed&, const Members&)> changed;
        // Input that was refused, or a name conflict: one line for the log. May come often.
        std::function<void(const std::string&)> refused;
        // The driver itself failed and hears nothing any more: end the process. One line says why.
        std::function<void(const std::string&)> failed;
    };

    // Fails with one line when the address cannot be bound or the config is wrong.
    static Result<std::unique_ptr<GossipDriver>> create(
        const asio::any_io_executor& executor, Options options, Handlers handlers
    );
    GossipDriver(const GossipDriver&) = delete;
    GossipDriver& operator=(const GossipDriver&) = delete;

    void start();
    // Joins those of these that are not members, now and whenever that is so: one is tried every
    // few hundred milliseconds.
    void set_peers(const std::vector<net::IpAddress>& peers);  // at our own port
    void set_peers(const std::vector<net::Endpoint>& peers);
    Result<> update_meta(wire::Bytes meta);
    // See gossip::Membership::set_keys.
    Result<> set_keys(gossip_wire::KeyRing keys);
    // Says good-bye; returns when that is out, after 1 s at most.
    awaitable<void> leave();
    // Ends every task and closes the sockets.
    awaitable<void> stop();

    [[nodiscard]] const Members& members() const { return members_; }
    [[nodiscard]] const net::Endpoint& address() const { return core_.config().address; }
    [[nodiscard]] int health_score() const { return core_.health_score(); }
    [[nodiscard]] const gossip::Counters& counters() const { return core_.counters(); }

private:
    using Tcp = asio::ip::tcp;
    using Udp = asio::ip::udp;
    // One TCP exchange in either direction.
    struct Connection {
        explicit Connection(const asio::any_io_executor& executor) : socket(executor) {}
        Tcp::socket socket;
        Instant deadline;
        std::vector<wire::Bytes> outbox;
        bool closing = false;  // once the outbox is written
    };
    using ConnectionPtr = std::shared_ptr<Connection>;

    GossipDriver(
        const asio::any_io_executor& executor,
        gossip::Config config,
        std::uint64_t seed,
        Handlers handlers,
        Tcp::acceptor acceptor,
        Udp::socket socket
    );

    awaitable<void> receive_packets();
    awaitable<void> accept_streams();
    awaitable<void> run_timer();
    awaitable<void> serve_stream(gossip::StreamId id, ConnectionPtr connection);
    awaitable<void> open_stream(gossip::OpenStream order, ConnectionPtr connection);
    awaitable<void> exchange(gossip::StreamId id, ConnectionPtr connection);

    void apply(gossip::Actions& actions);
    void send(const gossip::SendPacket& packet);
    void spawn_stream(gossip::OpenStream order);
    void close_stream(gossip::StreamId id, Connection& connection);
    void report(const std::string& why);
    void on_task_end(const std::string& name, const std::exception_ptr& error);
    void on_due(Instant now);
    [[nodiscard]] Instant next_due() const;
    void rearm();
    void publish();

    asio::any_io_executor executor_;
    Handlers handlers_;
    gossip::Membership core_;
    Tcp::acceptor acceptor_;
    Udp::socket socket_;
    asio::steady_timer timer_;
    asio::steady_timer leave_timer_;
    std::array<std::byte, 65536> buffer_{};
    std::map<gossip::StreamId, ConnectionPtr> connections_;
    Members members_;
    bool left_ = false;
    bool stopping_ = false;
    rt::TaskGroup tasks_;
};

}  // namespace steelyard::io
