#pragma once

#include "common/net/interface.hpp"
#include "common/rt/asio.hpp"
#include "speaker/bfd/config.hpp"
#include "speaker/bgp/rib/route.hpp"
#include "speaker/bgp/session/peer_config.hpp"
#include "speaker/io/bfd/bfd_driver.hpp"
#include "speaker/io/bgp/bfd_sessions.hpp"
#include "speaker/io/bgp/bgp_driver.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

// BGP and BFD on the wire thread: the two drivers, and what each has to tell the other. BGP knows
// where its peers are (an unnumbered one is discovered), BFD whether they are there.
namespace steelyard::speaker {

// Whom this node speaks BGP with.
struct BgpPeers {
    std::vector<bgp::PeerConfig> peers;  // names differ
    io::BfdProfiles profiles;            // of those that want BFD
    friend bool operator==(const BgpPeers&, const BgpPeers&) = default;
};

struct BgpCounters {
    std::shared_ptr<const io::BgpStatus> peers;
    std::vector<io::BfdSessionStatus> bfd;
    bfd::DropCounters bfd_drops{};
    std::uint64_t unknown_callers = 0;
};

class WireBgp {
public:
    // Called on the wire thread.
    struct Handlers {
        std::function<void(const std::shared_ptr<const io::BgpStatus>&)> on_status;
        std::function<void(io::BgpDriver::Level, const std::string&)> on_log;
        std::function<void(const std::string&)> on_failed;
    };

    WireBgp(
        const asio::any_io_executor& executor, io::BgpDriver::Options options, Handlers handlers
    );

    void start() { bgp_.start(); }
    void set_peers(BgpPeers peers);
    void set_interfaces(std::vector<net::Interface> interfaces);
    void apply(const bgp_rib::Changes& changes, std::uint64_t sequence);
    void set_draining(bool draining);
    [[nodiscard]] BgpCounters counters() const;

    // BGP first: a peer that sees BFD end would else take our routes for dead ones.
    awaitable<void> stop(io::StopMode mode, std::string text);

private:
    void follow_bfd();

    Handlers handlers_;
    io::BgpDriver bgp_;
    io::BfdDriver bfd_;
    io::BfdProfiles profiles_;
    std::vector<io::BfdWanted> wanted_;
    std::set<std::string> watched_;  // peers with a BFD session
};

}  // namespace steelyard::speaker
