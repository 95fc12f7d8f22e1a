#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/net/ip.hpp"
#include "common/rt/asio.hpp"
#include "common/rt/task_group.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

// The listening sockets of BGP: one a VRF and family that has peers, each with the MD5 keys of the
// peers that may call there. A port that is taken, or a VRF that is not there yet, is said once and
// tried again every ten seconds; meanwhile sessions are active only. Shell; decides nothing about
// who is let in.
namespace steelyard::io {

class Listeners {
public:
    struct Key {
        std::string vrf;
        net::Family family = net::Family::V4;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    using Passwords = std::map<net::IpAddress, std::string>;
    struct Rules {
        Passwords passwords;
        // Of every peer that may call here, the farthest: who is farther gets no handshake either.
        std::uint8_t minimum_ttl = 0;
        unsigned device = 0;  // index of the VRF's: one made anew under its name is another
        friend bool operator==(const Rules&, const Rules&) = default;
    };
    using Wanted = std::map<Key, Rules>;
    struct Caller {
        asio::ip::tcp::socket socket;
        asio::ip::tcp::endpoint remote;  // with the scope of a link-local address
        std::string vrf;
        std::string password;  // by which the kernel checked it; empty: by none
    };
    struct Handlers {
        std::function<void(Caller)> on_accept;
        std::function<void(const std::string&)> on_trouble;  // one line, once
        std::function<void(const std::string&)> on_news;     // that it listens, after trouble
    };

    // `port` 0 takes a free one, the same for every socket. Its tasks run in `tasks`, whose owner
    // calls close() and joins them before this dies.
    Listeners(
        const asio::any_io_executor& executor,
        std::uint16_t port,
        rt::TaskGroup& tasks,
        Handlers handlers
    );

    void set(Wanted wanted, Instant now);
    void on_deadline(Instant now);
    [[nodiscard]] Instant next_deadline() const { return retry_at_; }
    void close();
    [[nodiscard]] std::uint16_t port() const { return open_.empty() ? std::uint16_t{0} : port_; }

private:
    struct Listener {
        explicit Listener(const asio::any_io_executor& executor) : acceptor(executor) {}
        asio::ip::tcp::acceptor acceptor;
        Rules rules;
        Passwords keys;  // that the kernel took
    };
    using ListenerPtr = std::shared_ptr<Listener>;

    void open_missing(Instant now);
    Result<ListenerPtr> open(const Key& key, const Rules& rules);
    void set_rules(const Key& key, Listener& listener, const Rules& rules);
    awaitable<void> accept_loop(Key key, ListenerPtr listener);

    asio::any_io_executor executor_;
    std::uint16_t port_;
    rt::TaskGroup& tasks_;
    Handlers handlers_;
    Wanted wanted_;
    std::map<Key, ListenerPtr> open_;
    std::map<Key, std::string> trouble_;  // what was said
    Instant retry_at_ = Instant::max();
    bool closed_ = false;
};

}  // namespace steelyard::io
