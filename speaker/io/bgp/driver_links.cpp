#include "speaker/bgp/session/timing.hpp"
#include "speaker/io/bgp/callers.hpp"
#include "speaker/io/bgp/driver_impl.hpp"

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace steelyard::io {

using namespace std::chrono_literals;

namespace {

using Tcp = asio::ip::tcp;

// How long a NOTIFICATION has to get out, and a caller to say who it is.
constexpr Duration kFlushLimit = 1500ms;
constexpr Duration kIdentifyLimit = 5s;
// Bytes one link may write, and how long all may take, before others of the loop get their turn:
// BFD and ARP run on it too.
constexpr std::size_t kBytesAtOnce = std::size_t{256} * 1024;
constexpr Duration kLongestTurn = 4ms;
// Between log lines about callers nobody knows.
constexpr Duration kCallerSilence = 10s;
// Callers who have yet to say which peer they are.
constexpr std::ptrdiff_t kMostUnidentified = 32;

bgp::Endpoints ends_of(const Tcp::socket& socket, const net::Endpoint& remote) {
    boost::system::error_code ec;
    const auto local = socket.local_endpoint(ec);
    return {ec ? net::Endpoint{} : from_asio(local), remote};
}

}  // namespace

BgpPeerPtr BgpDriver::Impl::shared(const BgpPeer& peer) const {
    const auto found = peers_.find(peer.core.config().name);
    return found == peers_.end() || found->second.get() != &peer ? nullptr : found->second;
}

TcpOptions BgpDriver::Impl::tcp_options(const bgp::PeerConfig& config) const {
    const TtlPlan ttl = ttl_plan(config);
    TcpOptions out;
    out.vrf = config.vrf;
    out.password = config.password;
    out.send_ttl = ttl.send;
    out.minimum_ttl = ttl.minimum;
    // The session has its own timers for a peer that is silent or does not read; where the hold
    // time is 0, this is what notices that it is gone.
    out.user_timeout = std::max<Duration>(bgp::kSendHoldTime, 2 * config.hold_time);
    out.send_buffer = options_.send_buffer;
    return out;
}

unsigned BgpDriver::Impl::index_of(const std::string& interface) const {
    const auto found =
        std::find_if(interfaces_.begin(), interfaces_.end(), [&](const net::Interface& one) {
            return one.name == interface;
        });
    return found == interfaces_.end() ? 0 : found->index;
}

unsigned BgpDriver::Impl::scope_of(const bgp::PeerConfig& config, const net::IpAddress& address)
    const {
    return address.is_v4() || !address.is_link_local() ? 0 : index_of(config.interface);
}

Result<> BgpDriver::Impl::prepare(Link& link, const net::Endpoint& remote) {
    const bgp::PeerConfig& config = link.owner->core.config();
    const net::IpAddress& address = remote.address;
    if (!address.is_v4() && address.is_link_local() && scope_of(config, address) == 0) {
        return make_error(
            Errc::NotFound, "interface \"" + config.interface + "\" is not on this node"
        );
    }
    boost::system::error_code ec;
    link.socket.open(address.is_v4() ? Tcp::v4() : Tcp::v6(), ec);
    if (!ec) {
        link.socket.non_blocking(true, ec);
    }
    if (ec) {
        return make_error(ec, "opening a TCP socket: " + ec.message());
    }
    const int fd = link.socket.native_handle();
    if (auto set = set_dial_options(fd, address, tcp_options(config)); !set) {
        return set;
    }
    if (config.source) {
        bind_late(fd);
        const net::Endpoint source{*config.source, 0};
        link.socket.bind(to_asio(source, scope_of(config, *config.source)), ec);
    }
    return ec ? Result<>(make_error(ec, ec.message())) : Result<>();
}

awaitable<void> BgpDriver::Impl::dial(LinkPtr link, net::Endpoint remote) {
    Result<> done;
    if (link->owner != nullptr) {
        done = prepare(*link, remote);
    }
    if (link->owner != nullptr && done) {
        const unsigned scope = scope_of(link->owner->core.config(), remote.address);
        const Tcp::endpoint to = to_asio(remote, scope);
        const auto [ec] = co_await link->socket.async_connect(to, kAwait);
        if (ec) {
            done = make_error(ec, ec.message());
        }
    }
    if (link->owner == nullptr) {
        close(link);  // the session took its order back
        co_return;
    }
    const BgpPeerPtr peer = shared(*link->owner);
    if (!peer) {
        close(link);
        co_return;
    }
    bgp::Actions actions;
    if (!done) {
        const bgp::ConnectionId id = link->id;
        close(link);
        peer->core.on_connect_failed(id, done.error(), bgp_clock_now(), actions);
    } else {
        serve(link);
        const bgp::Endpoints ends = ends_of(link->socket, remote);
        peer->core.on_connected(link->id, ends, bgp_clock_now(), actions);
    }
    obey(peer, actions);
}

void BgpDriver::Impl::serve(const LinkPtr& link) {
    link->connected = true;
    tasks_.spawn("bgp reader", read_loop(link));
    tasks_.spawn("bgp writer", write_loop(link));
}

awaitable<void> BgpDriver::Impl::read_loop(LinkPtr link) {
    std::vector<std::byte> piece(std::size_t{16} * 1024);
    while (!link->closed) {
        const auto [ec, size] = co_await link->socket.async_read_some(asio::buffer(piece), kAwait);
        if (link->closed) {
            co_return;
        }
        if (ec) {
            const bool hidden = ec == asio::error::eof && !link->write_error.empty();
            lose(link, hidden ? link->write_error : ec.message());
            co_return;
        }
        const BgpPeerPtr peer = link->owner == nullptr ? nullptr : shared(*link->owner);
        if (peer) {  // else its last words, read so that ours are not cut off by a reset
            bgp::Actions actions;
            const auto bytes = std::span<const std::byte>(piece).first(size);
            peer->core.on_bytes(link->id, bytes, bgp_clock_now(), actions);
            obey(peer, actions);
        }
    }
}

awaitable<void> BgpDriver::Impl::write_loop(LinkPtr link) {
    while (!link->closed) {
        co_await link->room.wait();
        if (link->closed) {
            co_return;
        }
        const auto [ec] = co_await link->socket.async_wait(Tcp::socket::wait_write, kAwait);
        if (link->closed || ec) {
            co_return;
        }
        link->blocked = false;
        pump(link);
        rearm();
    }
}

void BgpDriver::Impl::lose(const LinkPtr& link, const std::string& why) {
    const BgpPeerPtr peer = link->owner == nullptr ? nullptr : shared(*link->owner);
    const bgp::ConnectionId id = link->id;
    close(link);
    if (peer) {
        bgp::Actions actions;
        peer->core.on_closed(id, why, bgp_clock_now(), actions);
        obey(peer, actions);
    }
}

// The session is done with this connection.
void BgpDriver::Impl::release(const LinkPtr& link, bool flush) {
    if (!flush || !link->connected) {
        close(link);
        return;
    }
    link->owner->links.erase(link->id);
    link->owner = nullptr;
    link->close_at = bgp_clock_now() + kFlushLimit;
    closing_.push_back(link);
    pump(link);
}

void BgpDriver::Impl::close(const LinkPtr& link) {
    if (link->owner != nullptr) {
        link->owner->links.erase(link->id);
        link->owner = nullptr;
    }
    std::erase(closing_, link);
    link->closed = true;
    boost::system::error_code ignored;
    link->socket.close(ignored);
    link->room.notify();
    stop_timer_.cancel();
}

void BgpDriver::Impl::pump(const LinkPtr& link) {
    std::size_t bytes = 0;
    while (link->connected && !link->blocked && !link->closed && link->write_error.empty()) {
        if (link->written == link->out.size() && !refill(*link)) {
            break;
        }
        if (bytes >= kBytesAtOnce) {
            pump_again_ = true;
            turn_.notify();
            break;
        }
        boost::system::error_code ec;
        const auto rest = std::span(link->out).subspan(link->written);
        const std::size_t size =
            link->socket.write_some(asio::buffer(rest.data(), rest.size()), ec);
        if (ec == asio::error::would_block || ec == asio::error::try_again) {
            link->blocked = true;
            link->room.notify();
        } else if (ec) {
            link->write_error = ec.message();  // the reader finds out, after what is to be read
        } else {
            bytes += size;
            link->written += size;
            if (link->owner != nullptr) {
                link->owner->core.on_written(link->id, size, bgp_clock_now());
            }
        }
    }
    if (link->owner != nullptr && link->owner->session == link) {
        note_sync(*link->owner);
    } else if (link->owner == nullptr && link->connected && link->out.empty()) {
        boost::system::error_code ignored;
        link->socket.shutdown(Tcp::socket::shutdown_send, ignored);
    }
}

// Whether there is something to write again. Routes are taken only when all before have left.
bool BgpDriver::Impl::refill(Link& link) {
    link.out.clear();
    link.written = 0;
    link.routes_end = 0;
    if (link.owner == nullptr || link.owner->session.get() != &link || !link.owner->rib) {
        return false;
    }
    BgpPeer& peer = *link.owner;
    const std::uint64_t left = rib_.synced(*peer.rib);
    wire::Writer routes;
    if (rib_.write(*peer.rib, routes, options_.write_buffer) == 0) {
        return false;
    }
    link.out = routes.take();
    link.routes_end = link.out.size();
    peer.told_more = true;
    peer.synced = left;
    peer.core.on_routes_sent(link.id, link.out, bgp_clock_now());
    return true;
}

void BgpDriver::Impl::pump_all() {
    const Instant end = bgp_clock_now() + kLongestTurn;
    auto next = peers_.upper_bound(pumped_last_);
    for (std::size_t left = peers_.size(); left > 0; --left, ++next) {
        next = next == peers_.end() ? peers_.begin() : next;
        if (bgp_clock_now() >= end) {
            pump_again_ = true;
            turn_.notify();
            return;
        }
        if (const LinkPtr link = next->second->session) {
            pump(link);
        }
        pumped_last_ = next->first;
    }
}

// Names of the peers this may be, in the order in which they are asked.
std::vector<std::string> BgpDriver::Impl::called(
    const Listeners::Caller& caller, const net::Endpoint& local
) const {
    const net::IpAddress address = from_asio(caller.remote).address;
    const unsigned scope =
        caller.remote.address().is_v6() ? caller.remote.address().to_v6().scope_id() : 0;
    std::vector<std::string> open;
    std::vector<std::string> established;
    for (const auto& [name, peer] : peers_) {
        const bgp::PeerConfig& config = peer->core.config();
        const auto remote = peer->core.remote();
        // Who calls from an interface before it was discovered there is as good as discovered.
        const bool unseen = !config.address && !remote && address.is_link_local();
        const bool same = unseen || (remote && remote->address == address);
        const bool here =
            !address.is_link_local() || address.is_v4() || scope_of(config, address) == scope;
        if (!same || !here || config.vrf != caller.vrf ||
            (config.source && *config.source != local.address)) {
            continue;
        }
        // The kernel checked the signature by one key for the address: it must be this peer's.
        if (!config.password.empty() && config.password != caller.password) {
            continue;
        }
        const bool up = peer->core.state() == bgp::State::Established;
        (up ? established : open).push_back(name);
    }
    open.insert(open.end(), established.begin(), established.end());
    return open;
}

void BgpDriver::Impl::on_caller(Listeners::Caller caller) {
    if (stopping_) {
        return;
    }
    boost::system::error_code ec;
    const net::Endpoint remote = from_asio(caller.remote);
    const net::Endpoint local = ends_of(caller.socket, remote).local;
    std::vector<std::string> names = called(caller, local);
    caller.socket.non_blocking(true, ec);
    if (ec || names.empty()) {
        refuse(remote, "no peer has this address");
        return;
    }
    const auto waiting = std::count_if(closing_.begin(), closing_.end(), [](const LinkPtr& one) {
        return !one->connected;
    });
    if (names.size() > 1 && waiting >= kMostUnidentified) {
        refuse(remote, "too many at once do not say who they are");
        return;
    }
    const auto link = std::make_shared<Link>(executor_, bgp::ConnectionId{}, nullptr);
    link->socket = std::move(caller.socket);
    if (names.size() == 1) {
        if (!offer(peers_.at(names.front()), link, remote)) {
            close(link);
        }
        return;
    }
    link->close_at = bgp_clock_now() + kIdentifyLimit;
    closing_.push_back(link);
    tasks_.spawn("bgp caller", identify(link, std::move(caller)));
    rearm();
}

// Several peers have this address and different ports: the AS of its OPEN tells which it is.
awaitable<void> BgpDriver::Impl::identify(LinkPtr link, Listeners::Caller caller) {
    const auto asn = co_await peek_as(link->socket);
    if (link->closed || stopping_) {
        close(link);
        co_return;
    }
    const net::Endpoint remote = from_asio(caller.remote);
    const net::Endpoint local = ends_of(link->socket, remote).local;
    for (const std::string& name : called(caller, local)) {  // peers may have changed meanwhile
        const BgpPeerPtr peer = peers_.at(name);
        const bgp::PeerConfig& config = peer->core.config();
        const bool internal = asn == config.local_asn;
        const bool right =
            config.remote_as.kind == bgp::RemoteAs::Kind::Exactly
                ? asn == config.remote_as.asn
                : internal == (config.remote_as.kind == bgp::RemoteAs::Kind::Internal);
        if (asn && right && offer(peer, link, remote)) {
            co_return;
        }
    }
    close(link);
}

bool BgpDriver::Impl::offer(
    const BgpPeerPtr& peer, const LinkPtr& link, const net::Endpoint& remote
) {
    const bgp::PeerConfig& config = peer->core.config();
    const Instant now = bgp_clock_now();
    TcpOptions options = tcp_options(config);
    const int fd = link->socket.native_handle();
    if (const auto set = set_accepted_options(fd, remote.address.family(), options); !set) {
        log(Level::Warning, "peer " + config.name + ": " + to_string(set.error()));
        return false;
    }
    bgp::Actions actions;
    if (!peer->core.remote()) {
        neighbours_.meet(config.interface, remote.address);
        peer->core.set_address(remote.address, now, actions);
        bfd_dirty_ = true;
    }
    const auto id = peer->core.on_accepted(ends_of(link->socket, remote), now, actions);
    if (id) {
        std::erase(closing_, link);
        link->close_at = Instant::max();
        link->id = *id;
        link->owner = peer.get();
        peer->links.emplace(*id, link);
        serve(link);
    }
    obey(peer, actions);
    return id.has_value();
}

void BgpDriver::Impl::refuse(const net::Endpoint& remote, const char* why) {
    ++unknown_callers_;
    const Instant now = bgp_clock_now();
    if (now >= tell_callers_at_) {
        tell_callers_at_ = now + kCallerSilence;
        log(Level::Info,
            "BGP connection from " + to_string(remote.address) + " closed: " + why + " (" +
                std::to_string(unknown_callers_) + " so far)");
    }
}

}  // namespace steelyard::io
