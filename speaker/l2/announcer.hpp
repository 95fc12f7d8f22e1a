#pragma once

#include "common/base/rng.hpp"
#include "common/base/time.hpp"
#include "speaker/l2/action.hpp"
#include "speaker/l2/announcements.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

// When to send gratuitous ARP and unsolicited neighbour advertisements. A taken-over address gets
// one round at once and four more 1.1 s apart (Linux ignores a second update within its neighbour
// locktime of 1 s), then a jittered refresh at a low rate, which keeps switch tables fresh. Each
// port is paced by its own token bucket, because switches police ARP; while it is short of tokens,
// addresses with fewer rounds behind them go first. Nothing is sent for a released address.
namespace steelyard::l2 {

struct AnnouncerOptions {
    unsigned rounds = 5;
    Duration round_interval = std::chrono::milliseconds(1100);
    Duration refresh_interval = std::chrono::seconds(180);  // +-20 %; zero: no refresh
    unsigned packets_per_second = 15;  // a port; Dynamic ARP Inspection's default limit
    unsigned burst = 256;              // packets a port that has been silent may send at once
};

class Announcer {
public:
    // `rng` must outlive it.
    Announcer(const AnnouncerOptions& options, Rng& rng);

    // A port that is new, or has another MAC, announces everything again.
    void set_ports(std::vector<Port> ports, Instant now);
    void set_announcements(std::shared_ptr<const Announcements> announcements, Instant now);
    // Carrier came back: neighbours and switches may have forgotten us.
    void on_link_up(unsigned interface_index, Instant now);

    // Sends what is due; safe to call early or late.
    void on_deadline(Instant now, Actions& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    // Packets sent since the address was taken over.
    [[nodiscard]] const std::unordered_map<net::IpAddress, std::uint64_t>& gratuitous_sent() const {
        return gratuitous_sent_;
    }

private:
    struct Progress {
        unsigned rounds_sent = 0;
        Instant due;
        bool ready = false;  // in Lane::ready, else in Lane::waiting
    };
    // The schedule of one port.
    struct Lane {
        Port port;
        std::map<net::IpAddress, Progress> addresses;
        std::set<std::pair<Instant, net::IpAddress>> waiting;
        std::set<std::tuple<unsigned, Instant, net::IpAddress>> ready;
        double tokens = 0;
        Instant tokens_at;
    };

    void sync(Lane& lane, Instant now);
    void restart(Lane& lane, Instant now);
    static void start(Lane& lane, const net::IpAddress& address, Instant now);
    static void unqueue(Lane& lane, const net::IpAddress& address, const Progress& progress);
    void run(Lane& lane, Instant now, Actions& out);
    void send_round(Lane& lane, const net::IpAddress& address, Instant now, Actions& out);
    void refill(Lane& lane, Instant now) const;
    [[nodiscard]] Duration refresh_delay();

    AnnouncerOptions options_;
    Rng* rng_;
    std::shared_ptr<const Announcements> announcements_;
    std::map<unsigned, Lane> lanes_;  // by interface index
    std::unordered_map<net::IpAddress, std::uint64_t> gratuitous_sent_;
};

}  // namespace steelyard::l2
