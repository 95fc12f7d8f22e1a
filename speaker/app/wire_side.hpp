#pragma once

#include "common/base/error.hpp"
#include "common/net/interface.hpp"
#include "common/rt/asio.hpp"
#include "speaker/gossip/config.hpp"
#include "speaker/gossip/member.hpp"
#include "speaker/l2/action.hpp"
#include "speaker/l2/announcements.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

// The wire thread: gossip and layer 2, on an io_context and a thread of their own, so that nothing
// the control thread does can delay a heartbeat or an ARP reply. The control thread holds this
// handle; every call posts an immutable value and returns at once, every callback is posted back to
// the control executor. stop() must be awaited before the handle dies.
namespace steelyard::speaker {

struct WireConfig {
    std::optional<gossip::Config> gossip;  // none: gossip is off
    std::uint64_t seed = 0;
};

class WireSide {
public:
    using Members = std::shared_ptr<const std::vector<gossip::Member>>;
    using Counters = std::unordered_map<net::IpAddress, l2::AddressCounters>;

    // Called on the control executor.
    struct Callbacks {
        std::function<void(const Members&)> on_members;
        std::function<void(const l2::Conflict&)> on_conflict;
        std::function<void(const Error&)> on_error;  // a lasting fault, once
    };

    // Binds the gossip port and starts the thread.
    static Result<std::unique_ptr<WireSide>> start(
        const asio::any_io_executor& control, WireConfig config, Callbacks callbacks
    );
    WireSide(const WireSide&) = delete;
    WireSide& operator=(const WireSide&) = delete;
    ~WireSide();

    // Where other speakers are; those that are no members now are joined.
    void set_peers(std::vector<net::IpAddress> peers);
    void set_interfaces(std::vector<net::Interface> interfaces);
    void set_announcements(std::shared_ptr<const l2::Announcements> announcements);
    // Tells the other speakers whether this node may own addresses.
    void set_ready(bool ready);
    [[nodiscard]] awaitable<Counters> counters();

    // Says good-bye to the other speakers, falls silent and ends the thread.
    awaitable<void> stop();

private:
    class Thread;
    explicit WireSide(std::unique_ptr<Thread> thread);
    std::unique_ptr<Thread> thread_;
};

}  // namespace steelyard::speaker
