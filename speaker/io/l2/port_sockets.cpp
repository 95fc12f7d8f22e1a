#include "speaker/io/l2/port_sockets.hpp"

#include "speaker/l2/ndp.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace steelyard::io_l2 {
namespace {

constexpr Duration kFirstRetry = std::chrono::milliseconds(100);
constexpr Duration kSlowestRetry = std::chrono::seconds(10);
// Multicast groups changed before other tasks of the loop get their turn.
constexpr std::size_t kGroupsAtOnce = 64;

std::size_t at(l2::Channel channel) {
    return static_cast<std::size_t>(channel);
}

bool is_out_of_memory(const Error& error) {
    return error.code == boost::system::errc::not_enough_memory;
}

bool is_about_the_link(const Error& error) {
    return error.code == boost::system::errc::no_such_device ||
           error.code == boost::system::errc::no_such_device_or_address ||
           error.code == boost::system::errc::network_down;
}

l2::Channel channel_for(const l2::Frame& frame) {
    switch (frame.ether_type()) {
        case l2::kEtherTypeArp:
            return l2::Channel::Arp;
        case l2::kEtherTypeIpv4:
            return l2::Channel::Echo4;
        default:
            return l2::Channel::Ndp;
    }
}

}  // namespace

PortSockets::PortSockets(
    const asio::any_io_executor& executor,
    l2::Port port,
    PacketSocket::Reception reception,
    Callbacks callbacks
)
    : executor_(executor),
      port_(std::move(port)),
      reception_(reception),
      callbacks_(std::move(callbacks)),
      groups_(port_.index) {}

void PortSockets::set_port(l2::Port port, Instant now) {
    const bool same_families = port.arp == port_.arp && port.ndp == port_.ndp;
    port_ = std::move(port);
    if (!same_families) {
        sync(now);
    }
}

void PortSockets::set_wanted(Wanted wanted, Instant now) {
    if (wanted == wanted_ && !open_[0].empty()) {
        return;
    }
    wanted_ = std::move(wanted);
    std::set<net::IpAddress> groups;
    for (const net::IpAddress& address : wanted_.answered) {
        if (!address.is_v4()) {
            groups.insert(l2::solicited_node_group(address));
        }
    }
    groups_.set(std::move(groups));
    sync(now);
}

bool PortSockets::is_served(l2::Channel channel) const {
    switch (channel) {
        case l2::Channel::Arp:
            return port_.arp;
        case l2::Channel::Ndp:
            return port_.ndp;
        case l2::Channel::Echo4:
        case l2::Channel::Echo6:
            break;
    }
    return std::any_of(
        wanted_.echo.begin(),
        wanted_.echo.end(),
        [&](const net::IpAddress& address) { return address.family() == l2::family(channel); }
    );
}

void PortSockets::sync(Instant now) {
    bool works = true;
    for (std::size_t i = 0; i < l2::kChannels; ++i) {
        works = sync_channel(static_cast<l2::Channel>(i), now) && works;
    }
    join_groups();
    if (works && !lost_frames_) {
        recover();
    }
}

bool PortSockets::sync_channel(l2::Channel channel, Instant now) {
    const bool echo = channel == l2::Channel::Echo4 || channel == l2::Channel::Echo6;
    const auto& addresses = echo ? wanted_.echo : wanted_.answered;
    for (;;) {
        std::vector<l2::BpfProgram> programs;
        if (is_served(channel)) {
            programs = l2::make_filters(channel, addresses, budget_);
        }
        const Fit result = fit(channel, programs, now);
        if (result != Fit::TooLarge) {
            return result == Fit::Done;
        }
        budget_ /= 2;
    }
}

// One socket for each program. An added or removed address moves others from one share to the next:
// the order is the one in which whoever gives an address away is filtered last.
PortSockets::Fit PortSockets::fit(
    l2::Channel channel, const std::vector<l2::BpfProgram>& programs, Instant now
) {
    auto& open = open_[at(channel)];
    const bool grows = programs.size() > open.size() ||
                       (!programs.empty() && programs.back().size() >= open.back().filter.size());
    for (std::size_t i = 0; i < programs.size(); ++i) {
        const std::size_t share = grows ? programs.size() - 1 - i : i;
        const auto renewed = renew(channel, share, programs[share]);
        if (renewed) {
            continue;
        }
        if (is_out_of_memory(renewed.error()) && budget_ > l2::kSmallestBudget) {
            return Fit::TooLarge;
        }
        fail(renewed.error(), now);
        return Fit::Failed;
    }
    while (open.size() > programs.size()) {
        if (open.back().socket != nullptr) {
            open.back().socket->close();
        }
        open.pop_back();
    }
    return Fit::Done;
}

Result<> PortSockets::renew(l2::Channel channel, std::size_t share, const l2::BpfProgram& program) {
    auto& open = open_[at(channel)];
    if (share >= open.size()) {
        open.resize(share + 1);
    }
    Open& own = open[share];
    if (own.socket != nullptr) {
        if (own.filter == program) {
            return {};
        }
        auto set = own.socket->set_filter(program);
        if (!set && is_out_of_memory(set.error())) {
            // No room for two at once. What passes in between costs us a look.
            own.filter = l2::pass_everything();
            (void)own.socket->set_filter(own.filter);
            set = own.socket->set_filter(program);
        }
        if (set) {
            own.filter = program;
        }
        return set;
    }
    auto opened =
        PacketSocket::open(executor_, port_.index, l2::ether_type(channel), program, reception_);
    if (!opened) {
        return opened.error();
    }
    auto socket = std::make_unique<PacketSocket>(std::move(*opened));
    own = {socket.get(), program};
    if (channel == l2::Channel::Ndp && share == 0) {
        joined_by_mac_.clear();
    }
    callbacks_.read(std::move(socket), channel);
    return {};
}

void PortSockets::join_groups() {
    std::vector<net::IpAddress> failed;
    groups_.work(kGroupsAtOnce, failed);
    const auto& ndp = open_[at(l2::Channel::Ndp)];
    for (const net::IpAddress& group : failed) {
        if (ndp.empty() || ndp[0].socket == nullptr || joined_by_mac_.contains(group)) {
            continue;
        }
        // No MLD then, but the interface at least lets the frames in.
        if (ndp[0].socket->join(l2::multicast_mac(group))) {
            joined_by_mac_.insert(group);
        }
    }
}

bool PortSockets::send(const l2::Frame& frame, Instant now) {
    const auto& open = open_[at(channel_for(frame))];
    if (open.empty() || open[0].socket == nullptr) {
        lost_frames_ = retry_at_ != Instant::max();
        return false;
    }
    auto sent = open[0].socket->send(frame.view());
    if (!sent) {
        lost_frames_ = true;
        fail(sent.error(), now);
        return false;
    }
    if (retry_at_ == Instant::max()) {
        recover();
    }
    return true;
}

void PortSockets::recover() {
    retry_at_ = Instant::max();
    retry_delay_ = {};
    reported_.clear();
}

void PortSockets::fail(const Error& error, Instant now) {
    if (retry_at_ == Instant::max()) {
        retry_delay_ = std::clamp(retry_delay_ * 2, kFirstRetry, kSlowestRetry);
        retry_at_ = now + retry_delay_;
    }
    // An interface that goes is soon gone from here, too: not worth a word before a retry.
    const bool may_pass = is_about_the_link(error) && retry_delay_ == kFirstRetry;
    if (!may_pass && error.code != std::exchange(reported_, error.code)) {
        callbacks_.on_error(error);
    }
}

void PortSockets::on_dead(const PacketSocket* socket, l2::Channel channel, Instant now) {
    for (Open& own : open_[at(channel)]) {
        if (own.socket == socket) {
            own = {};
            lost_frames_ = true;
            groups_.forget();
            fail(errno_error(ENODEV, "reading a packet socket"), now);
        }
    }
}

bool PortSockets::on_deadline(Instant now) {
    if (!groups_.is_done()) {
        join_groups();
    }
    if (now < retry_at_) {
        return false;
    }
    retry_at_ = Instant::max();
    sync(now);
    // Otherwise the delay goes on growing until a frame was sent.
    return retry_at_ == Instant::max() && std::exchange(lost_frames_, false);
}

Instant PortSockets::next_deadline() const {
    return groups_.is_done() ? retry_at_ : Instant::min();
}

std::size_t PortSockets::drain() {
    std::size_t frames = 0;
    for (const auto& channel : open_) {
        for (const Open& own : channel) {
            while (own.socket != nullptr && own.socket->receive()) {
                ++frames;
            }
        }
    }
    return frames;
}

void PortSockets::close() {
    for (auto& channel : open_) {
        for (const Open& own : channel) {
            if (own.socket != nullptr) {
                own.socket->close();
            }
        }
        channel.clear();
    }
}

}  // namespace steelyard::io_l2
