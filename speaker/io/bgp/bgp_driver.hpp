#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/net/interface.hpp"
#include "common/rt/asio.hpp"
#include "speaker/bgp/rib/rib_out.hpp"
#include "speaker/bgp/session/counters.hpp"
#include "speaker/bgp/session/negotiated.hpp"
#include "speaker/bgp/session/peer_config.hpp"
#include "speaker/bgp/session/state.hpp"
#include "speaker/bgp/session/trouble.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// Speaks BGP with every configured peer: one bgp::Peer each, one bgp_rib::RibOut for all, the
// listeners, and discovery for peers named by an interface. Everything happens on the executor's
// one thread and nothing blocks. Lifetime: construct, start(), ..., stop(), then it may be
// destroyed. Handlers are called on that thread and may call back in, except stop().
namespace steelyard::io {

struct BgpPeerStatus {
    std::string name;
    bgp::State state = bgp::State::Idle;
    std::optional<bgp::Trouble> trouble;        // why it is not established, or last was not
    std::optional<bgp::Negotiated> negotiated;  // while established
    net::Endpoint remote;                       // as configured, discovered or connected
    net::Endpoint local;                        // of the connection; unspecified without one
    std::uint64_t synced = 0;     // the last apply() of which this peer was sent everything
    bool in_sync = false;         // established, and nothing waits to be sent
    std::size_t prefixes_v4 = 0;  // announced to it now
    std::size_t prefixes_v6 = 0;
    std::string unsendable_v4;  // why a negotiated family is not sent, else empty
    std::string unsendable_v6;
    bgp::Counters counters;
    Instant since;  // of `state`
    bgp::BfdState bfd = bgp::BfdState::None;
    std::uint64_t flaps = 0;  // times it was established and then no more
};
using BgpStatus = std::vector<BgpPeerStatus>;  // by name

// A BFD session that ought to run, since its peer asks for BFD and its address is known.
struct BfdWanted {
    std::string peer;
    net::IpAddress remote;
    std::optional<net::IpAddress> local;  // the configured source address
    std::string interface;                // for a link-local address
    std::string vrf;
    bool multihop = false;
    friend bool operator==(const BfdWanted&, const BfdWanted&) = default;
};

enum class StopMode {
    Restart,  // peers that agreed to graceful restart keep our routes; the others as Shutdown
    Shutdown  // graceful-shutdown community, wait, withdraw, NOTIFICATION
};

class BgpDriver {
public:
    struct Options {
        std::uint16_t listen_port = 179;   // 0: do not listen
        bool listen_on_free_port = false;  // instead of listen_port; for tests
        bool restarting = false;           // the first sessions announce a graceful restart
        std::uint32_t default_local_pref = 100;
        Duration drain_wait = std::chrono::seconds(2);       // between community and withdrawal
        std::size_t write_buffer = std::size_t{256} * 1024;  // bytes of routes encoded ahead
        int send_buffer = 0;     // SO_SNDBUF of each connection; 0: the kernel's choice
        std::uint64_t seed = 0;  // of jitter; 0 draws one
    };
    enum class Level { Info, Warning };
    struct Handlers {
        // After a change of state, trouble or sync of any peer; at most one per turn of the loop.
        std::function<void(const std::shared_ptr<const BgpStatus>&)> on_status;
        // The whole set, whenever it changes.
        std::function<void(const std::vector<BfdWanted>&)> on_bfd_wanted;
        std::function<void(Level, const std::string&)> on_log;  // one line; must not call back in
        // The driver itself failed: end the process. One line says why.
        std::function<void(const std::string&)> on_failed;
    };

    BgpDriver(const asio::any_io_executor& executor, Options options, Handlers handlers);
    BgpDriver(const BgpDriver&) = delete;
    BgpDriver& operator=(const BgpDriver&) = delete;
    ~BgpDriver();

    void start();
    // The whole set; names must differ. Sessions whose identity is unchanged go on undisturbed.
    void set_peers(std::vector<bgp::PeerConfig> peers);
    // Where next hops and the link-local addresses of unnumbered sessions come from.
    void set_interfaces(std::vector<net::Interface> interfaces);
    // The first call is the first complete plan, however empty: before it nothing is announced and
    // no End-of-RIB is sent. Sequences rise; see BgpPeerStatus::synced.
    void apply(const bgp_rib::Changes& changes, std::uint64_t sequence);
    // Everything again with GRACEFUL_SHUTDOWN, after drain_wait nothing; false takes it back.
    void set_draining(bool draining);
    void on_bfd(const std::string& peer, bgp::BfdState state);
    // Ends every session and task, within drain_wait and a few seconds.
    awaitable<void> stop(StopMode mode, std::string text);

    [[nodiscard]] std::shared_ptr<const BgpStatus> status() const;  // made anew at each call
    [[nodiscard]] const bgp_rib::RibOut& rib() const;
    // Where it listens, once it does; 0 when it does not.
    [[nodiscard]] std::uint16_t listen_port() const;
    // Connections closed at once because no peer has their address.
    [[nodiscard]] std::uint64_t unknown_callers() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace steelyard::io
