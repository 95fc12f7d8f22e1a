#pragma once

#include "common/base/rng.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/bgp/rib/rib_out.hpp"
#include "speaker/bgp/session/peer.hpp"
#include "speaker/io/bgp/bgp_driver.hpp"
#include "speaker/io/bgp/fallover.hpp"
#include "speaker/io/bgp/link.hpp"
#include "speaker/io/bgp/listeners.hpp"
#include "speaker/io/bgp/neighbours.hpp"
#include "speaker/io/bgp/next_hops.hpp"
#include "speaker/io/bgp/pacer.hpp"
#include "speaker/io/bgp/tcp_options.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

// The inside of BgpDriver. bgp_driver.cpp: its life, peers, routes, status. driver_events.cpp: what
// a session asks for. driver_links.cpp: connections, from dialling to closing. driver_stop.cpp:
// draining and stopping.
namespace steelyard::io {

// A configured peer and what the driver keeps for it.
struct BgpPeer {
    BgpPeer(bgp::PeerConfig config, Rng rng, bool restarting, Instant now)
        : core(std::move(config), rng, restarting), since(now) {}

    bgp::Peer core;
    std::map<bgp::ConnectionId, LinkPtr> links;
    LinkPtr session;                     // one of them, while established
    std::optional<bgp_rib::PeerId> rib;  // likewise
    std::optional<bgp::Endpoints> ends;  // likewise
    NextHops hops;                       // that the RIB uses
    bool in_sync = false;
    bool told_more = false;    // since the status was last said to have changed
    std::uint64_t synced = 0;  // changes up to this one have left for the socket
    Instant since;
};
using BgpPeerPtr = std::shared_ptr<BgpPeer>;

class BgpDriver::Impl {
public:
    Impl(const asio::any_io_executor& executor, Options options, Handlers handlers);

    // bgp_driver.cpp
    void start();
    void set_peers(std::vector<bgp::PeerConfig> peers);
    void set_interfaces(std::vector<net::Interface> interfaces);
    void apply(const bgp_rib::Changes& changes, std::uint64_t sequence);
    void on_bfd(const std::string& name, bgp::BfdState state);
    [[nodiscard]] std::shared_ptr<const BgpStatus> status() const;
    [[nodiscard]] const bgp_rib::RibOut& rib() const { return rib_; }
    [[nodiscard]] std::uint16_t listen_port() const { return listeners_.port(); }
    [[nodiscard]] std::uint64_t unknown_callers() const { return unknown_callers_; }

    // driver_stop.cpp
    void set_draining(bool draining);
    awaitable<void> stop(StopMode mode, std::string text);

private:
    // bgp_driver.cpp
    awaitable<void> timer_loop();
    awaitable<void> turn_loop();
    void turn();
    void on_due(Instant now);
    [[nodiscard]] Instant next_due() const;
    void rearm();
    void set_listeners();
    void set_neighbours();
    void on_neighbour(const std::string& interface);
    void tell_bfd();
    [[nodiscard]] BgpPeerStatus status_of(const std::string& name, const BgpPeer& peer) const;
    void status_changed();
    void log(Level level, const std::string& line) const;

    // driver_events.cpp
    void obey(const BgpPeerPtr& peer, bgp::Actions& actions);
    void on_action(BgpPeer& peer, const bgp::Dial& order);
    void on_action(BgpPeer& peer, const bgp::Send& order);
    void on_action(BgpPeer& peer, const bgp::Close& order);
    void on_action(BgpPeer& peer, const bgp::Established& news);
    void on_action(BgpPeer& peer, const bgp::Down& news);
    void on_action(BgpPeer& peer, const bgp::Refresh& order);
    void on_action(BgpPeer& peer, const bgp::StateChanged& news);
    void on_action(BgpPeer& peer, const bgp::TroubleChanged& news);
    void on_action(BgpPeer& peer, const bgp::Notice& news);
    void join_rib(BgpPeer& peer);
    void leave_rib(BgpPeer& peer);
    void end_if_cut_off(const BgpPeerPtr& peer, const std::vector<net::Interface>& before);
    void review_next_hops(const BgpPeerPtr& peer);
    [[nodiscard]] std::uint64_t sent_up_to(const BgpPeer& peer) const;
    void note_sync(BgpPeer& peer);

    // driver_links.cpp
    awaitable<void> dial(LinkPtr link, net::Endpoint remote);
    [[nodiscard]] Result<> prepare(Link& link, const net::Endpoint& remote);
    awaitable<void> read_loop(LinkPtr link);
    awaitable<void> write_loop(LinkPtr link);
    void on_caller(Listeners::Caller caller);
    awaitable<void> identify(LinkPtr link, Listeners::Caller caller);
    bool offer(const BgpPeerPtr& peer, const LinkPtr& link, const net::Endpoint& remote);
    [[nodiscard]] std::vector<std::string> called(
        const Listeners::Caller& caller, const net::Endpoint& local
    ) const;
    void refuse(const net::Endpoint& remote, const char* why);
    void serve(const LinkPtr& link);
    void lose(const LinkPtr& link, const std::string& why);
    void release(const LinkPtr& link, bool flush);
    void close(const LinkPtr& link);
    void pump(const LinkPtr& link);
    [[nodiscard]] bool refill(Link& link);
    void pump_all();  // as far as one turn goes
    [[nodiscard]] BgpPeerPtr shared(const BgpPeer& peer) const;
    [[nodiscard]] TcpOptions tcp_options(const bgp::PeerConfig& config) const;
    [[nodiscard]] unsigned index_of(const std::string& interface) const;  // 0: not on this node
    [[nodiscard]] unsigned scope_of(const bgp::PeerConfig& config, const net::IpAddress& address)
        const;

    // driver_stop.cpp
    void on_drained(Instant now);
    void stop_peer(const BgpPeerPtr& peer, const bgp::Stop& how);
    awaitable<void> wait_until(std::function<bool()> done, Duration limit);
    awaitable<void> take_leave(std::vector<BgpPeerPtr> leaving);

    asio::any_io_executor executor_;
    Options options_;
    Handlers handlers_;
    Rng rng_;
    bgp_rib::RibOut rib_;
    std::map<std::string, BgpPeerPtr> peers_;
    std::vector<net::Interface> interfaces_;
    Listeners::Wanted listening_;
    std::vector<LinkPtr> closing_;  // flushing, or not yet anybody's
    std::vector<BfdWanted> bfd_wanted_;
    std::set<std::string> password_conflicts_;  // said

    bool started_ = false;
    bool stopping_ = false;
    bool planned_ = false;  // apply() was called
    bool draining_ = false;
    Instant drained_at_ = Instant::max();
    bool changes_wait_ = false;  // for the pacer
    bool pump_again_ = false;
    std::string pumped_last_;
    bool status_dirty_ = false;
    bool bfd_dirty_ = false;
    Pacer pacer_;
    std::uint64_t unknown_callers_ = 0;
    Instant tell_callers_at_{};

    asio::steady_timer timer_;
    asio::steady_timer stop_timer_;
    rt::Signal turn_;
    rt::TaskGroup tasks_;
    Listeners listeners_;
    Neighbours neighbours_;
};

// A copy to walk over, or to hold, while the original changes.
template <class Value>
[[nodiscard]] Value snapshot(const Value& value) {
    return value;
}

[[nodiscard]] inline Instant bgp_clock_now() {
    return std::chrono::steady_clock::now();
}

}  // namespace steelyard::io
