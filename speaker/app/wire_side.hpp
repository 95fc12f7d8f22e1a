#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/net/interface.hpp"
#include "common/rt/asio.hpp"
#include "speaker/app/bgp/wire_bgp.hpp"
#include "speaker/app/node_meta/node_meta.hpp"
#include "speaker/gossip/config.hpp"
#include "speaker/gossip/counters.hpp"
#include "speaker/gossip/member.hpp"
#include "speaker/l2/action.hpp"
#include "speaker/l2/announcements.hpp"
#include "speaker/l2/announcer.hpp"
#include "speaker/l2/drop.hpp"
#include "speaker/ring/watch_ring.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

// The wire thread: gossip, the watch ring, layer 2, BGP and BFD, on an io_context and a thread of
// their own, so that nothing the control thread does can delay a heartbeat or an ARP reply. The
// control thread holds this handle; every call posts an immutable value and returns at once, every
// callback is posted back to the control executor. stop() must be awaited before the handle dies.
namespace steelyard::speaker {

struct WireRing {
    std::uint16_t port = 0;  // 0 picks a free one
    Duration interval = std::chrono::milliseconds(100);
    std::uint64_t epoch = 0;  // random, never used before
};

struct WireConfig {
    std::optional<gossip::Config> gossip;  // none: gossip and the watch ring are off
    std::optional<WireRing> ring;          // beside gossip, at its address and with its keys
    l2::AnnouncerOptions announcer;
    std::uint64_t seed = 0;
    bool realtime = false;  // the thread goes before all ordinary ones
};

// Everyone as this node sees them; a value the control thread keeps.
struct Sight {
    std::vector<gossip::Member> members;             // this node included
    std::set<std::string, std::less<>> unreachable;  // by verdict of their watchers; maybe us
    std::optional<Instant> verdict;                  // when the last one came that took away
};

struct WireCounters {
    std::unordered_map<net::IpAddress, l2::AddressCounters> addresses;
    l2::DropCounters drops;
    std::optional<gossip::Counters> gossip;
    int health_score = 0;  // of gossip (Lifeguard); 0 is best
    std::optional<ring::Counters> ring;
    std::optional<BgpCounters> bgp;
};

class WireSide {
public:
    using SightRef = std::shared_ptr<const Sight>;

    // Called on the control executor.
    struct Callbacks {
        std::function<void(const SightRef&)> on_sight;
        std::function<void(const l2::Conflict&)> on_conflict;
        std::function<void(const Error&)> on_error;  // a lasting fault, once
        // Gossip that was refused, a line in ten seconds; the watch ring's are only counted, since
        // a node that joins hears heartbeats before it knows who sends them.
        std::function<void(const Error&)> on_refused;
        std::function<void(const Error&)> on_failed;  // it cannot go on: end the process
        std::function<void(const std::shared_ptr<const io::BgpStatus>&)> on_bgp;
        std::function<void(io::BgpDriver::Level, const std::string&)> on_bgp_log;
    };

    // Binds the ports and starts the thread.
    static Result<std::unique_ptr<WireSide>> start(
        const asio::any_io_executor& control, WireConfig config, Callbacks callbacks
    );
    WireSide(const WireSide&) = delete;
    WireSide& operator=(const WireSide&) = delete;
    ~WireSide();

    // Where other speakers are; those that are no members now are joined.
    void set_peers(std::vector<net::Endpoint> peers);
    void set_interfaces(std::vector<net::Interface> interfaces);
    void set_announcements(std::shared_ptr<const l2::Announcements> announcements);
    // What this node says of itself; where its ring is, is added here. A Sight with it follows.
    void set_meta(NodeMeta meta);
    void set_keys(gossip_wire::KeyRing keys);
    // Starts to speak BGP; the calls below have no effect before. Once.
    void open_bgp(io::BgpDriver::Options options);
    void set_bgp_peers(BgpPeers peers);
    void apply_routes(bgp_rib::Changes changes, std::uint64_t sequence);
    void set_bgp_draining(bool draining);
    // Begins to end the BGP sessions; stop() waits until that is done.
    void leave_bgp(io::StopMode mode, std::string text);
    [[nodiscard]] awaitable<WireCounters> counters();
    // Addresses in Role::Yield that are still answered for, once all that was posted is done.
    [[nodiscard]] awaitable<std::size_t> yielding();

    // Says good-bye to the other speakers, goes on answering for `last_answers` so that they can
    // take over, falls silent and ends the thread.
    awaitable<void> stop(Duration last_answers);

private:
    class Thread;
    explicit WireSide(std::unique_ptr<Thread> thread);
    std::unique_ptr<Thread> thread_;
};

}  // namespace steelyard::speaker
