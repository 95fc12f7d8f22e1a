#include "speaker/io/bgp/bgp_driver.hpp"

#include "speaker/io/bgp/driver_impl.hpp"

#include <boost/asio/post.hpp>

#include <openssl/rand.h>

#include <algorithm>
#include <utility>

namespace steelyard::io {

using namespace std::chrono_literals;

namespace {

constexpr Duration kIdle = 1h;

std::uint64_t random_seed() {
    std::uint64_t seed = 0;
    // Jitter is all it is for; a poor seed is no danger.
    (void)RAND_bytes(reinterpret_cast<unsigned char*>(&seed), sizeof seed);
    return seed;
}

bool is_unnumbered(const bgp::PeerConfig& config) {
    return !config.address && !config.interface.empty();
}

bool is_internal(const bgp::PeerConfig& config) {
    return config.remote_as.kind == bgp::RemoteAs::Kind::Internal ||
           (config.remote_as.kind == bgp::RemoteAs::Kind::Exactly &&
            config.remote_as.asn == config.local_asn);
}

std::string password_conflict(
    const net::IpAddress& address, const std::string& first, const std::string& other
) {
    return "peers " + first + " and " + other + " have the address " + to_string(address) +
           " and different passwords: calls from there are checked with that of " + first +
           ", so " + other + " cannot call this node";
}

// Routers run BFD over several hops with a neighbour that is not on the link.
bool is_beyond_link(
    const bgp::PeerConfig& config,
    const net::IpAddress& remote,
    const std::vector<net::Interface>& interfaces
) {
    if (config.multihop || config.ttl_security_hops.value_or(1) > 1) {
        return true;
    }
    if (remote.is_link_local() || !is_internal(config) || interfaces.empty()) {
        return false;
    }
    return std::none_of(interfaces.begin(), interfaces.end(), [&](const net::Interface& one) {
        return std::any_of(
            one.addresses.begin(),
            one.addresses.end(),
            [&](const net::Interface::Address& own) { return own.subnet.contains(remote); }
        );
    });
}

}  // namespace

BgpDriver::BgpDriver(const asio::any_io_executor& executor, Options options, Handlers handlers)
    : impl_(std::make_unique<Impl>(executor, std::move(options), std::move(handlers))) {}

BgpDriver::~BgpDriver() = default;

void BgpDriver::start() {
    impl_->start();
}

void BgpDriver::set_peers(std::vector<bgp::PeerConfig> peers) {
    impl_->set_peers(std::move(peers));
}

void BgpDriver::set_interfaces(std::vector<net::Interface> interfaces) {
    impl_->set_interfaces(std::move(interfaces));
}

void BgpDriver::apply(const bgp_rib::Changes& changes, std::uint64_t sequence) {
    impl_->apply(changes, sequence);
}

void BgpDriver::set_draining(bool draining) {
    impl_->set_draining(draining);
}

void BgpDriver::on_bfd(const std::string& peer, bgp::BfdState state) {
    impl_->on_bfd(peer, state);
}

awaitable<void> BgpDriver::stop(StopMode mode, std::string text) {
    return impl_->stop(mode, std::move(text));
}

std::shared_ptr<const BgpStatus> BgpDriver::status() const {
    return impl_->status();
}

const bgp_rib::RibOut& BgpDriver::rib() const {
    return impl_->rib();
}

std::uint16_t BgpDriver::listen_port() const {
    return impl_->listen_port();
}

std::uint64_t BgpDriver::unknown_callers() const {
    return impl_->unknown_callers();
}

BgpDriver::Impl::Impl(const asio::any_io_executor& executor, Options options, Handlers handlers)
    : executor_(executor),
      options_(std::move(options)),
      handlers_(std::move(handlers)),
      rng_(options_.seed == 0 ? random_seed() : options_.seed),
      timer_(executor),
      stop_timer_(executor),
      turn_(executor),
      tasks_(
          executor,
          [this](const std::string& name, const std::exception_ptr& error) {
              if (error && handlers_.on_failed) {
                  handlers_.on_failed(name + ": " + rt::describe(error));
              }
          }
      ),
      listeners_(
          executor,
          options_.listen_on_free_port ? std::uint16_t{0} : options_.listen_port,
          tasks_,
          {[this](Listeners::Caller caller) { on_caller(std::move(caller)); },
           [this](const std::string& line) { log(Level::Warning, line); },
           [this](const std::string& line) {
               log(Level::Info, line);
           }}
      ),
      neighbours_(
          executor,
          rng_,
          tasks_,
          {[this](const std::string& interface) { on_neighbour(interface); },
           [this](const std::string& line) {
               log(Level::Warning, line);
           }}
      ) {}

void BgpDriver::Impl::log(Level level, const std::string& line) const {
    if (handlers_.on_log) {
        handlers_.on_log(level, line);
    }
}

void BgpDriver::Impl::start() {
    started_ = true;
    tasks_.spawn("bgp timer", timer_loop());
    tasks_.spawn("bgp turn", turn_loop());
    set_listeners();
    set_neighbours();
    for (const auto& [name, peer] : snapshot(peers_)) {
        bgp::Actions actions;
        peer->core.start(bgp_clock_now(), actions);
        obey(peer, actions);
    }
}

void BgpDriver::Impl::set_peers(std::vector<bgp::PeerConfig> peers) {
    const Instant now = bgp_clock_now();
    std::set<std::string> names;
    for (const bgp::PeerConfig& config : peers) {
        names.insert(config.name);
    }
    for (const auto& [name, peer] : snapshot(peers_)) {
        if (!names.contains(name)) {
            bgp::Actions actions;
            peer->core.stop({bgp::Stop::Kind::PeerDeconfigured, {}}, now, actions);
            obey(peer, actions);
            peers_.erase(name);
        }
    }
    for (bgp::PeerConfig& config : peers) {
        bgp::Actions actions;
        const std::string name = config.name;
        auto found = peers_.find(name);
        if (found == peers_.end()) {
            auto peer = std::make_shared<BgpPeer>(
                std::move(config), Rng(rng_.next()), options_.restarting, now
            );
            found = peers_.emplace(name, std::move(peer)).first;
            if (started_ && !stopping_) {
                found->second->core.start(now, actions);
            }
        } else {
            found->second->core.update(std::move(config), now, actions);
        }
        obey(snapshot(found->second), actions);
    }
    if (started_ && !stopping_) {
        set_listeners();
        set_neighbours();
    }
    bfd_dirty_ = true;
    status_changed();
    rearm();
}

void BgpDriver::Impl::set_interfaces(std::vector<net::Interface> interfaces) {
    const auto before = std::exchange(interfaces_, std::move(interfaces));
    if (started_ && !stopping_) {
        set_listeners();
        set_neighbours();
    }
    for (const auto& [name, peer] : snapshot(peers_)) {
        end_if_cut_off(peer, before);
        review_next_hops(peer);
    }
    bfd_dirty_ = true;
    turn_.notify();
}

void BgpDriver::Impl::set_neighbours() {
    std::set<std::string> wanted;
    for (const auto& [name, peer] : peers_) {
        if (is_unnumbered(peer->core.config())) {
            wanted.insert(peer->core.config().interface);
        }
    }
    neighbours_.set(wanted, interfaces_, bgp_clock_now());
    // A peer that is new on an interface we know already.
    for (const std::string& interface : wanted) {
        on_neighbour(interface);
    }
    rearm();
}

void BgpDriver::Impl::on_neighbour(const std::string& interface) {
    for (const auto& [name, peer] : snapshot(peers_)) {
        const bgp::PeerConfig& config = peer->core.config();
        if (!is_unnumbered(config) || config.interface != interface) {
            continue;
        }
        bgp::Actions actions;
        peer->core.set_address(neighbours_.neighbour(interface), bgp_clock_now(), actions);
        obey(peer, actions);
    }
    set_listeners();
    bfd_dirty_ = true;
    status_changed();
}

// A key belongs to an address: of several peers there, the first by name has its way.
void BgpDriver::Impl::set_listeners() {
    if (stopping_ || (options_.listen_port == 0 && !options_.listen_on_free_port)) {
        return;
    }
    Listeners::Wanted wanted;
    std::map<std::pair<std::string, net::IpAddress>, const bgp::PeerConfig*> firsts;
    std::set<std::string> conflicts;
    for (const auto& [name, peer] : peers_) {
        const bgp::PeerConfig& config = peer->core.config();
        const auto remote = peer->core.remote();
        const auto family = config.address ? config.address->family() : net::Family::V6;
        const auto [place, first] = wanted.try_emplace({config.vrf, family});
        Listeners::Rules& rules = place->second;
        const std::uint8_t minimum = ttl_plan(config).minimum.value_or(0);
        rules.minimum_ttl = first ? minimum : std::min(rules.minimum_ttl, minimum);
        rules.device = config.vrf.empty() ? 0 : index_of(config.vrf);
        if (!remote) {
            continue;
        }
        const bgp::PeerConfig& key_of =
            *firsts.try_emplace({config.vrf, remote->address}, &config).first->second;
        if (key_of.password != config.password) {
            conflicts.insert(password_conflict(remote->address, key_of.name, name));
        } else if (!config.password.empty()) {
            rules.passwords.emplace(remote->address, config.password);
        }
    }
    for (const std::string& line : conflicts) {
        if (!password_conflicts_.contains(line)) {
            log(Level::Warning, line);
        }
    }
    password_conflicts_ = std::move(conflicts);
    if (wanted != listening_ || listeners_.port() == 0) {
        listening_ = wanted;
        listeners_.set(std::move(wanted), bgp_clock_now());
    }
}

void BgpDriver::Impl::apply(const bgp_rib::Changes& changes, std::uint64_t sequence) {
    rib_.apply(changes, sequence);
    if (!planned_) {
        planned_ = true;
        rib_.release();
    }
    changes_wait_ = true;
    const Instant now = bgp_clock_now();
    if (pacer_.due(now) <= now) {
        turn_.notify();
    } else {
        rearm();
    }
}

void BgpDriver::Impl::on_bfd(const std::string& name, bgp::BfdState state) {
    if (const auto found = peers_.find(name); found != peers_.end()) {
        const BgpPeerPtr peer = found->second;
        bgp::Actions actions;
        peer->core.set_bfd(state, bgp_clock_now(), actions);
        obey(peer, actions);
        status_changed();
    }
}

// What happens several times within one turn of the loop is done once at its end.
awaitable<void> BgpDriver::Impl::turn_loop() {
    for (;;) {
        co_await turn_.wait();
        // A turn may ask for another one; what else waits in the loop comes in between.
        co_await asio::post(executor_, asio::use_awaitable);
        turn();
    }
}

void BgpDriver::Impl::turn() {
    const Instant now = bgp_clock_now();
    if (changes_wait_ && pacer_.due(now) <= now) {
        changes_wait_ = false;
        pump_all();
        pacer_.count(now);
    } else if (std::exchange(pump_again_, false)) {
        pump_all();
    }
    if (std::exchange(bfd_dirty_, false)) {
        tell_bfd();
    }
    if (std::exchange(status_dirty_, false) && handlers_.on_status) {
        handlers_.on_status(status());
    }
    rearm();
}

awaitable<void> BgpDriver::Impl::timer_loop() {
    for (;;) {
        timer_.expires_at(next_due());
        const auto [ec] = co_await timer_.async_wait(kAwait);
        (void)ec;  // Whether it expired or was re-armed, what is due is due.
        // After a stall of the loop, what arrived meanwhile is read before any timer is judged.
        const Instant now = bgp_clock_now();
        co_await asio::post(executor_, asio::use_awaitable);
        on_due(now);
    }
}

void BgpDriver::Impl::on_due(Instant now) {
    for (const auto& [name, peer] : snapshot(peers_)) {
        if (peer->core.next_deadline() <= now) {
            bgp::Actions actions;
            peer->core.on_deadline(now, actions);
            obey(peer, actions);
        }
    }
    for (const LinkPtr& link : snapshot(closing_)) {
        if (link->close_at <= now) {
            close(link);
        }
    }
    neighbours_.on_deadline(now);
    listeners_.on_deadline(now);
    if (drained_at_ <= now) {
        on_drained(now);
    }
    if (changes_wait_ && pacer_.due(now) <= now) {
        turn_.notify();
    }
}

Instant BgpDriver::Impl::next_due() const {
    const Instant now = bgp_clock_now();
    Instant due = std::min({now + kIdle, neighbours_.next_deadline(), listeners_.next_deadline()});
    due = std::min(due, drained_at_);
    for (const auto& [name, peer] : peers_) {
        due = std::min(due, peer->core.next_deadline());
    }
    for (const LinkPtr& link : closing_) {
        due = std::min(due, link->close_at);
    }
    return changes_wait_ ? std::min(due, pacer_.due(now)) : due;
}

void BgpDriver::Impl::rearm() {
    if (next_due() < timer_.expiry()) {
        timer_.cancel();
    }
}

void BgpDriver::Impl::tell_bfd() {
    std::vector<BfdWanted> wanted;
    for (const auto& [name, peer] : peers_) {
        const bgp::PeerConfig& config = peer->core.config();
        const auto remote = peer->core.remote();
        if (!config.bfd || !remote) {
            continue;
        }
        BfdWanted one;
        one.peer = name;
        one.remote = remote->address;
        one.local = config.source;
        one.interface = remote->address.is_link_local() ? config.interface : std::string();
        one.vrf = config.vrf;
        one.multihop = is_beyond_link(config, remote->address, interfaces_);
        wanted.push_back(std::move(one));
    }
    if (wanted != bfd_wanted_) {
        bfd_wanted_ = wanted;
        if (handlers_.on_bfd_wanted) {
            handlers_.on_bfd_wanted(wanted);
        }
    }
}

void BgpDriver::Impl::status_changed() {
    status_dirty_ = true;
    turn_.notify();
}

std::shared_ptr<const BgpStatus> BgpDriver::Impl::status() const {
    auto out = std::make_shared<BgpStatus>();
    out->reserve(peers_.size());
    for (const auto& [name, peer] : peers_) {
        out->push_back(status_of(name, *peer));
    }
    return out;
}

BgpPeerStatus BgpDriver::Impl::status_of(const std::string& name, const BgpPeer& peer) const {
    BgpPeerStatus out;
    out.name = name;
    out.state = peer.core.state();
    out.trouble = peer.core.trouble();
    out.remote = peer.core.remote().value_or(net::Endpoint{});
    out.counters = peer.core.counters();
    out.since = peer.since;
    out.bfd = peer.core.bfd();
    out.flaps = out.counters.dropped;
    if (const bgp::Negotiated* negotiated = peer.core.negotiated()) {
        out.negotiated = *negotiated;
    }
    if (peer.ends) {
        out.remote = peer.ends->remote;
        out.local = peer.ends->local;
    }
    if (peer.rib) {
        out.synced = sent_up_to(peer);
        out.in_sync = peer.in_sync;
        out.prefixes_v4 = rib_.prefixes(*peer.rib, net::Family::V4);
        out.prefixes_v6 = rib_.prefixes(*peer.rib, net::Family::V6);
        out.unsendable_v4 = peer.hops.why_not_v4;
        out.unsendable_v6 = peer.hops.why_not_v6;
    }
    return out;
}

}  // namespace steelyard::io
