#pragma once

#include "common/base/rng.hpp"
#include "common/base/time.hpp"
#include "speaker/l2/action.hpp"
#include "speaker/l2/announcements.hpp"
#include "speaker/l2/pace.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <vector>

// When to send gratuitous ARP and unsolicited neighbour advertisements. An address taken over gets
// a round at once and two more 1.1 s apart (Linux ignores a second update within its neighbour
// locktime of 1 s; RFC 4861 allows three), then a jittered refresh at a low rate, which keeps
// switch tables fresh. A round is two packets: ARP in request and in reply form, since some systems
// learn from one only; an advertisement to all nodes and one to all routers (RFC 9131). A refresh
// is one.
//
// What is taken over from a live node (Announcement::relieves) is claimed a little later, when that
// node has heard of the move too; should it die meanwhile, at once.
//
// Each port is paced by a SendWindow. While it is closed, addresses with fewer packets behind them
// go first, and among those the ones last asked for. What is announced again goes behind what was
// just taken over, and what still waits for its first packet keeps its place: however often
// everything is announced again, it all gets its turn. Nothing is sent for an address that is
// released or yielded.
namespace steelyard::l2 {

struct AnnouncerOptions {
    unsigned rounds = 3;
    Duration round_interval = std::chrono::milliseconds(1100);
    Duration refresh_interval = std::chrono::seconds(180);  // +-20 %; zero: no refresh
    // A port. 15 is what Dynamic ARP Inspection allows before it switches the port off. Answers to
    // requests are not counted: their number is the askers' doing.
    unsigned packets_per_second = 15;
};

class Announcer {
public:
    // `rng` must outlive it.
    Announcer(const AnnouncerOptions& options, Rng& rng);

    // A port that is new, or has another MAC, announces everything again.
    void set_ports(std::vector<Port> ports, Instant now);
    void set_announcements(std::shared_ptr<const Announcements> announcements, Instant now);
    // Neighbours and switches on this port (on every port) may have forgotten us.
    void announce_again(unsigned interface_index, Instant now);
    void announce_all_again(Instant now);
    // Somebody on this port wants to know where the address is.
    void on_asked(unsigned interface_index, const net::IpAddress& address, Instant now);
    // One packet at once that claims the address (RFC 5227 2.4); false when the pace forbids it.
    bool defend(unsigned interface_index, const net::IpAddress& address, Instant now, Actions& out);

    // Sends what is due; safe to call early or late.
    void on_deadline(Instant now, Actions& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    // Packets sent since the address was taken over.
    [[nodiscard]] const std::unordered_map<net::IpAddress, std::uint64_t>& gratuitous_sent() const {
        return gratuitous_sent_;
    }

private:
    struct Progress {
        unsigned step = 0;  // packets of the takeover sent; then it is being refreshed
        Instant due;
        Instant asked{};
        bool again = false;  // neighbours have heard all this before
        bool ready = false;  // in Lane::ready, else in Lane::waiting
    };
    using Rank = std::tuple<unsigned, Duration, Instant, net::IpAddress>;
    // The schedule of one port.
    struct Lane {
        Lane(Port of, unsigned packets_per_second)
            : port(std::move(of)), window(packets_per_second) {}
        Port port;
        SendWindow window;
        std::unordered_map<net::IpAddress, Progress> addresses;
        std::set<std::pair<Instant, net::IpAddress>> waiting;
        std::set<Rank> ready;
    };

    static Rank rank(const net::IpAddress& address, const Progress& progress);
    static void queue(Lane& lane, const net::IpAddress& address, Progress& progress, Instant now);
    static void unqueue(Lane& lane, const net::IpAddress& address, const Progress& progress);
    void sync(Lane& lane, Instant now);
    static void restart(Lane& lane, bool again, Instant now);
    [[nodiscard]] bool is_announced(const net::IpAddress& address, const Port& port) const;
    void run(Lane& lane, Instant now, Actions& out);
    void send_step(Lane& lane, const net::IpAddress& address, Instant now, Actions& out);
    void send(Lane& lane, const net::IpAddress& address, bool second, Instant now, Actions& out);
    [[nodiscard]] Duration refresh_delay();

    AnnouncerOptions options_;
    Rng* rng_;
    std::shared_ptr<const Announcements> announcements_;
    std::map<unsigned, Lane> lanes_;  // by interface index
    std::unordered_map<net::IpAddress, std::uint64_t> gratuitous_sent_;
};

}  // namespace steelyard::l2
