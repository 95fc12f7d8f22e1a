#pragma once

#include "common/base/rng.hpp"
#include "common/net/interface.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/io/l2/packet_socket.hpp"
#include "speaker/io/l2/port_sockets.hpp"
#include "speaker/l2/eligibility.hpp"
#include "speaker/l2/station.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

// Carries speaker/l2 on packet sockets: those of port_sockets.hpp on each eligible interface, one
// timer. Runs on the wire thread's io_context; every call comes from there. The kernel filters
// frames by the announced addresses, so a foreign packet costs no wake-up. What fails is repaired
// without being told that the interface changed. Callbacks must not call the driver. stop() must be
// awaited before the driver dies.
namespace steelyard::io_l2 {

struct PacketDriverOptions {
    l2::NameExclusions exclusions = l2::NameExclusions::standard();
    l2::AnnouncerOptions announcer;
    PacketSocket::Reception reception = PacketSocket::Reception::Normal;
};

struct PacketDriverCallbacks {
    std::function<void(const Error&)> on_error;            // each lasting fault once
    std::function<void(const l2::Conflict&)> on_conflict;  // somebody else claims our address
    // May stay empty: the last address in Yield was given up; a task died by an exception, and the
    // process is better ended.
    std::function<void()> on_yielded = nullptr;
    std::function<void(const Error&)> on_failed = nullptr;
};

class PacketDriver {
public:
    // `rng` must outlive it.
    PacketDriver(
        const asio::any_io_executor& executor,
        PacketDriverOptions options,
        Rng& rng,
        PacketDriverCallbacks callbacks
    );

    // Every interface of the node; the eligible ones are used.
    void set_interfaces(const std::vector<net::Interface>& interfaces);
    // Replaces what is announced. New addresses are announced before this returns (within the
    // pace of their ports); released ones are silent at once.
    void set_announcements(std::shared_ptr<const l2::Announcements> announcements);

    // Until when this node may answer and announce; Instant::max(), the default, is for ever.
    // Frames queued while there was none are dropped.
    void set_lease(Instant until);
    // Announces everything once more, for example because a partition healed.
    void announce_again();
    // Addresses in Role::Yield that are still answered for.
    [[nodiscard]] std::size_t yielding() const { return station_.ownership().yielding(); }

    // Of every announced address that was asked for or announced.
    [[nodiscard]] std::unordered_map<net::IpAddress, l2::AddressCounters> counters() const {
        return station_.counters();
    }
    // Received frames that led to nothing, by reason.
    [[nodiscard]] const l2::DropCounters& drops() const { return station_.drops(); }
    // Frames that reached the process, answered or not.
    [[nodiscard]] std::uint64_t frames_received() const { return frames_received_; }
    // Times the process was woken to read.
    [[nodiscard]] std::uint64_t wake_ups() const { return wake_ups_; }

    awaitable<void> stop();

private:
    awaitable<void> read_loop(
        std::unique_ptr<PacketSocket> socket, unsigned interface_index, l2::Channel channel
    );
    void read(PacketSocket& socket, unsigned interface_index, l2::Channel channel);
    awaitable<void> timer_loop();
    PortSockets::Callbacks port_callbacks(unsigned interface_index);
    void refresh(PortSockets& sockets);
    void refresh_all();
    void run_due();
    void tell_yielded();
    void apply();
    void report(const Error& error, const PortSockets& sockets);

    asio::any_io_executor executor_;
    PacketDriverOptions options_;
    PacketDriverCallbacks callbacks_;
    l2::Station station_;
    std::map<unsigned, PortSockets> ports_;  // by interface index
    l2::Actions actions_;                    // reused
    std::uint64_t frames_received_ = 0;
    std::uint64_t wake_ups_ = 0;
    std::size_t yielding_ = 0;  // as last told
    bool capability_reported_ = false;
    asio::steady_timer timer_;
    rt::TaskGroup tasks_;
};

}  // namespace steelyard::io_l2
