#include "speaker/io/bgp/listeners.hpp"

#include "common/rt/sleep.hpp"
#include "speaker/io/bgp/tcp_options.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::io {
namespace {

using namespace std::chrono_literals;
using Tcp = asio::ip::tcp;

constexpr Duration kRetry = 10s;
constexpr Duration kErrorPause = 100ms;
constexpr int kBacklog = 64;

std::string place(const Listeners::Key& key, std::uint16_t port) {
    std::string out = key.family == net::Family::V4 ? "0.0.0.0:" : "[::]:";
    out += std::to_string(port);
    return key.vrf.empty() ? out : out + " in VRF " + key.vrf;
}

// What waits to be accepted was let in by the keys of before, and its socket has those: it must not
// pass for a call signed with a new one.
bool needs_new_socket(const Listeners::Rules& old, const Listeners::Rules& next) {
    const auto is_new = [&old](const auto& entry) {
        const auto found = old.passwords.find(entry.first);
        return found == old.passwords.end() || found->second != entry.second;
    };
    return old.device != next.device ||
           std::any_of(next.passwords.begin(), next.passwords.end(), is_new);
}

}  // namespace

Listeners::Listeners(
    const asio::any_io_executor& executor,
    std::uint16_t port,
    rt::TaskGroup& tasks,
    Handlers handlers
)
    : executor_(executor), port_(port), tasks_(tasks), handlers_(std::move(handlers)) {}

void Listeners::set(Wanted wanted, Instant now) {
    wanted_ = std::move(wanted);
    for (auto it = open_.begin(); it != open_.end();) {
        const auto next = wanted_.find(it->first);
        if (next != wanted_.end() && !needs_new_socket(it->second->rules, next->second)) {
            ++it;
            continue;
        }
        boost::system::error_code ignored;
        it->second->acceptor.close(ignored);
        it = open_.erase(it);
    }
    std::erase_if(trouble_, [this](const auto& said) { return !wanted_.contains(said.first); });
    open_missing(now);
    for (const auto& [key, listener] : open_) {
        set_rules(key, *listener, wanted_.at(key));
    }
}

void Listeners::on_deadline(Instant now) {
    if (now >= retry_at_) {
        open_missing(now);
    }
}

void Listeners::open_missing(Instant now) {
    retry_at_ = Instant::max();
    for (const auto& [key, rules] : wanted_) {
        if (closed_ || open_.contains(key)) {
            continue;
        }
        auto opened = open(key, rules);
        if (!opened) {
            retry_at_ = now + kRetry;
            std::string why = to_string(opened.error());
            std::string& said = trouble_[key];
            if (said != why) {
                said = std::move(why);
                handlers_.on_trouble(
                    "BGP cannot listen on " + place(key, port_) +
                    ", sessions are active only: " + said
                );
            }
            continue;
        }
        if (trouble_.erase(key) > 0) {
            handlers_.on_news("BGP listens on " + place(key, port_));
        }
        open_.emplace(key, *opened);
        tasks_.spawn("bgp listener", accept_loop(key, *opened));
    }
}

Result<Listeners::ListenerPtr> Listeners::open(const Key& key, const Rules& rules) {
    const auto listener = std::make_shared<Listener>(executor_);
    Tcp::acceptor& acceptor = listener->acceptor;
    const Tcp protocol = key.family == net::Family::V4 ? Tcp::v4() : Tcp::v6();
    boost::system::error_code ec;
    acceptor.open(protocol, ec);
    if (ec) {
        return make_error(ec, ec.message());
    }
    if (auto set = set_listen_options(acceptor.native_handle(), key.family, key.vrf); !set) {
        return set.error();
    }
    acceptor.bind(Tcp::endpoint(protocol, port_), ec);
    if (!ec) {
        set_rules(key, *listener, rules);  // before the first caller
        acceptor.listen(kBacklog, ec);
    }
    if (ec) {
        return make_error(ec, ec.message());
    }
    port_ = acceptor.local_endpoint(ec).port();
    return listener;
}

// A connection under way keeps the key it was made with.
void Listeners::set_rules(const Key& key, Listener& listener, const Rules& rules) {
    const int fd = listener.acceptor.native_handle();
    const Passwords& passwords = rules.passwords;
    for (const auto& [address, password] : listener.rules.passwords) {
        if (!passwords.contains(address)) {
            (void)set_password(fd, address, {});
            listener.keys.erase(address);
        }
    }
    for (const auto& [address, password] : passwords) {
        const auto old = listener.rules.passwords.find(address);
        if (old != listener.rules.passwords.end() && old->second == password) {
            continue;
        }
        if (const auto set = set_password(fd, address, password); set) {
            listener.keys[address] = password;
        } else {
            handlers_.on_trouble("BGP listener: " + to_string(set.error()));
        }
    }
    if (rules.minimum_ttl != listener.rules.minimum_ttl) {
        if (const auto set = set_minimum_ttl(fd, key.family, rules.minimum_ttl); !set) {
            handlers_.on_trouble("BGP listener: " + to_string(set.error()));
        }
    }
    listener.rules = rules;
}

awaitable<void> Listeners::accept_loop(Key key, ListenerPtr listener) {
    bool failing = false;
    while (listener->acceptor.is_open()) {
        Tcp::socket socket(executor_);
        Tcp::endpoint remote;
        const auto [ec] = co_await listener->acceptor.async_accept(socket, remote, kAwait);
        if (!listener->acceptor.is_open()) {
            co_return;
        }
        if (ec) {
            // Out of descriptors or of memory; callers wait meanwhile.
            if (!std::exchange(failing, true)) {
                handlers_.on_trouble(
                    "BGP cannot take calls on " + place(key, port_) + ": " + ec.message()
                );
            }
            co_await rt::sleep_for(kErrorPause);
            continue;
        }
        failing = false;
        Caller caller{std::move(socket), remote, key.vrf, {}};
        const auto signed_by = listener->keys.find(from_asio(remote).address);
        if (signed_by != listener->keys.end()) {
            caller.password = signed_by->second;
        }
        handlers_.on_accept(std::move(caller));
    }
}

void Listeners::close() {
    closed_ = true;
    boost::system::error_code ignored;
    for (const auto& [key, listener] : open_) {
        listener->acceptor.close(ignored);
    }
    open_.clear();
}

}  // namespace steelyard::io
