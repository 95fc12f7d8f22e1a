#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "speaker/io/l2/packet_socket.hpp"
#include "speaker/io/l2/solicited_node_groups.hpp"
#include "speaker/l2/announcements.hpp"
#include "speaker/l2/bpf.hpp"
#include "speaker/l2/frame.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

// The packet sockets of one interface: as many for each channel as its filters need (one, up to
// some thousand scattered addresses), opened, filtered and closed to match what is answered for
// there. What fails is tried again, a tenth of a second later at first and ten seconds at most.
namespace steelyard::io_l2 {

class PortSockets {
public:
    struct Callbacks {
        // Reads the socket until it is closed, then destroys it.
        std::function<void(std::unique_ptr<PacketSocket>, l2::Channel)> read;
        std::function<void(const Error&)> on_error;  // each fault once, until something worked
    };
    struct Wanted {
        std::vector<net::IpAddress> answered;  // sorted
        std::vector<net::IpAddress> echo;
        friend bool operator==(const Wanted&, const Wanted&) = default;
    };

    PortSockets(
        const asio::any_io_executor& executor,
        l2::Port port,
        PacketSocket::Reception reception,
        Callbacks callbacks
    );

    [[nodiscard]] const l2::Port& port() const { return port_; }
    // Same index; name, MAC and families may have changed.
    void set_port(l2::Port port, Instant now);
    void set_wanted(Wanted wanted, Instant now);

    // False when it could not be sent; it will be tried again to repair why.
    bool send(const l2::Frame& frame, Instant now);
    // The interface of this socket was taken away: its reader must end.
    void on_dead(const PacketSocket* socket, l2::Channel channel, Instant now);
    // Repairs what is due. True when something works again that did not: then neighbours may have
    // missed frames.
    bool on_deadline(Instant now);
    [[nodiscard]] Instant next_deadline() const;

    // Reads and drops everything that waits; returns how many frames.
    std::size_t drain();
    void close();

private:
    void sync(Instant now);
    // False when a socket could not be opened or filtered.
    bool sync_channel(l2::Channel channel, Instant now);
    enum class Fit : std::uint8_t { Done, TooLarge, Failed };
    Fit fit(l2::Channel channel, const std::vector<l2::BpfProgram>& programs, Instant now);
    Result<> renew(l2::Channel channel, std::size_t at, const l2::BpfProgram& program);
    [[nodiscard]] bool is_served(l2::Channel channel) const;
    void join_groups();
    void fail(const Error& error, Instant now);
    void recover();

    // Owned by their readers.
    struct Open {
        PacketSocket* socket = nullptr;
        l2::BpfProgram filter;
    };

    asio::any_io_executor executor_;
    l2::Port port_;
    PacketSocket::Reception reception_;
    Callbacks callbacks_;
    Wanted wanted_;
    std::array<std::vector<Open>, l2::kChannels> open_;
    std::size_t budget_ = l2::kLargestBudget;
    SolicitedNodeGroups groups_;
    std::set<net::IpAddress> joined_by_mac_;  // with the first NDP socket
    Instant retry_at_ = Instant::max();
    Duration retry_delay_{};
    bool lost_frames_ = false;
    boost::system::error_code reported_;
};

}  // namespace steelyard::io_l2
