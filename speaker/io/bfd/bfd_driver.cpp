#include "speaker/io/bfd/bfd_driver.hpp"

#include "common/rt/sleep.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/bfd/session_table.hpp"
#include "speaker/io/bfd/control_socket.hpp"
#include "speaker/io/bfd/echo_socket.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace steelyard::io {

using namespace std::chrono_literals;

namespace {

constexpr Duration kIdle = 1h;
constexpr Duration kRetry = 1s;
// Packets that come thicker than this are read together: at 64 sessions of 10 ms waking for each
// costs more than all else. A power of two of nanoseconds, as the core's own grid (bfd/pace.hpp),
// so that reading and sending share their wake-ups.
constexpr Duration kTick{1 << 20};  // 1 ms

Instant clock_now() {
    return std::chrono::steady_clock::now();
}

Instant next_tick(Instant now) {
    return now + (kTick - now.time_since_epoch() % kTick);
}

Rng seeded(std::uint64_t seed) {
    if (seed == 0) {
        std::random_device device;
        seed = static_cast<std::uint64_t>(device()) << 32U | device();
    }
    return Rng(seed);
}

// Whether the kernel would send a peer's echoes back; without /proc nothing speaks against it.
bool kernel_forwards(net::Family family) {
    const bool v4 = family == net::Family::V4;
    std::ifstream file(
        v4 ? "/proc/sys/net/ipv4/ip_forward" : "/proc/sys/net/ipv6/conf/all/forwarding"
    );
    int value = 1;
    file >> value;
    return !file || value != 0;
}

}  // namespace

class BfdDriver::Impl {
public:
    Impl(const asio::any_io_executor& executor, Options options, Handlers handlers)
        : executor_(executor),
          options_(options),
          handlers_(std::move(handlers)),
          rng_(seeded(options.seed)),
          table_(Rng(rng_.next())),
          timer_(executor),
          tasks_(executor, [this](const std::string& name, const std::exception_ptr& error) {
              if (error && handlers_.on_trouble) {
                  handlers_.on_trouble(name + ": " + rt::describe(error));
              }
          }) {}

    void set_sessions(std::vector<bfd::SessionConfig> sessions);
    void set_admin_down(const std::string& key, bool down);
    [[nodiscard]] std::vector<BfdSessionStatus> status() const;
    [[nodiscard]] const bfd::DropCounters& drops() const { return table_.drops(); }
    awaitable<void> stop();

private:
    using ReceiverKey = std::tuple<net::Family, bool, std::string>;  // family, multihop, VRF
    using EchoKey = std::pair<net::Family, unsigned>;                // family, interface

    struct Link {
        BfdSender sender;
        bool failing = false;                // the last packet could not be sent
        std::string trouble;                 // of the sockets
        std::string told_trouble;            // what on_trouble was last told, sockets or packets
        std::optional<Neighbour> neighbour;  // of the echo function, looked up every second
        Instant neighbour_until;
        bool echoes = false;  // sent one since the last upkeep
    };

    void open(bfd::SessionId id);
    void tell_trouble(bfd::SessionId id, const std::string& key, Link& link);
    Result<> open_receiver(const bfd::SessionConfig& config);
    Result<> open_sender(bfd::SessionId id, Link& link, const bfd::SessionConfig& config);
    void send(const bfd::SendControl& packet);
    void send_echo(const bfd::SendEcho& echo);
    EchoSocket* echo_socket(net::Family family, unsigned interface_index);
    void forget_echo_sockets();
    void forget_receivers();
    void upkeep();

    void read_control(BfdReceiver& receiver);
    void read_echoes(EchoSocket& socket);
    void read_everything();
    void apply();
    void obey(const bfd::Action& action);

    awaitable<void> receive(std::shared_ptr<BfdReceiver> receiver);
    awaitable<void> receive_echoes(std::shared_ptr<EchoSocket> socket);
    awaitable<void> run_timer();
    awaitable<void> run_upkeep();

    asio::any_io_executor executor_;
    Options options_;
    Handlers handlers_;
    Rng rng_;
    bfd::SessionTable table_;
    std::unordered_map<bfd::SessionId, Link> links_;
    std::map<ReceiverKey, std::shared_ptr<BfdReceiver>> receivers_;
    std::map<EchoKey, std::shared_ptr<EchoSocket>> echo_sockets_;
    std::unique_ptr<NeighbourLookup> lookup_;
    bfd::Actions actions_;
    bfd::Actions spare_;  // keeps its memory for the next round
    asio::steady_timer timer_;
    bool running_ = false;
    bool applying_ = false;
    rt::TaskGroup tasks_;
};

void BfdDriver::Impl::set_sessions(std::vector<bfd::SessionConfig> sessions) {
    read_everything();  // what waits was sent to the sessions of before
    table_.set_sessions(std::move(sessions), clock_now(), actions_);
    apply();
    forget_receivers();
    if (!running_ && !table_.keys().empty()) {
        running_ = true;
        tasks_.spawn("bfd timer", run_timer());
        tasks_.spawn("bfd upkeep", run_upkeep());
    }
}

void BfdDriver::Impl::set_admin_down(const std::string& key, bool down) {
    table_.set_admin_down(key, down, clock_now(), actions_);
    apply();
}

std::vector<BfdSessionStatus> BfdDriver::Impl::status() const {
    std::vector<BfdSessionStatus> out;
    for (const auto& [key, id] : table_.keys()) {
        const auto link = links_.find(id);
        const bool open = link == links_.end() || link->second.trouble.empty();
        out.push_back({key, table_.status(id), open ? table_.trouble(id) : link->second.trouble});
    }
    return out;
}

awaitable<void> BfdDriver::Impl::stop() {
    table_.set_sessions({}, clock_now(), actions_);
    apply();
    tasks_.cancel();
    co_await tasks_.join();
    forget_receivers();
    forget_echo_sockets();
}

// What fails is tried again by upkeep(); a session without sockets is simply one that hears
// nothing.
void BfdDriver::Impl::open(bfd::SessionId id) {
    const bfd::SessionConfig* found = table_.config(id);
    if (found == nullptr) {
        return;
    }
    const bfd::SessionConfig config = *found;
    Link& link = links_[id];
    Result<> opened = open_receiver(config);
    if (opened) {
        opened = open_sender(id, link, config);
    }
    if (config.profile.echo) {
        table_.set_looping(id, kernel_forwards(config.remote.family()));
    }
    link.trouble = opened ? "" : to_string(opened.error());
    tell_trouble(id, config.key, link);
}

// Once for each change. That it is over is not worth a line.
void BfdDriver::Impl::tell_trouble(bfd::SessionId id, const std::string& key, Link& link) {
    const std::string trouble = link.trouble.empty() ? table_.trouble(id) : link.trouble;
    if (trouble == link.told_trouble) {
        return;
    }
    link.told_trouble = trouble;
    if (!trouble.empty() && handlers_.on_trouble) {
        handlers_.on_trouble("BFD session \"" + key + "\": " + trouble);
    }
}

Result<> BfdDriver::Impl::open_receiver(const bfd::SessionConfig& config) {
    const ReceiverKey key{config.remote.family(), config.multihop, config.vrf};
    if (receivers_.contains(key)) {
        return {};
    }
    const std::uint16_t port = config.multihop ? options_.multihop_port : options_.single_hop_port;
    auto receiver =
        BfdReceiver::open(executor_, config.remote.family(), config.multihop, port, config.vrf);
    if (!receiver) {
        return std::move(receiver).error();
    }
    receivers_.emplace(key, *receiver);
    tasks_.spawn("bfd packets", receive(*receiver));
    return {};
}

Result<> BfdDriver::Impl::open_sender(
    bfd::SessionId id, Link& link, const bfd::SessionConfig& config
) {
    if (link.sender.is_open() && link.sender.is_stale()) {
        link.sender = BfdSender();
    }
    if (link.sender.is_open() && !link.failing) {
        return {};
    }
    if (!link.sender.is_open()) {
        table_.set_interface(id, std::nullopt);
    }
    const std::uint16_t port = config.multihop ? options_.multihop_port : options_.single_hop_port;
    auto sender = BfdSender::open(config, port, rng_);
    if (!sender) {
        return std::move(sender).error();
    }
    link.sender = std::move(*sender);
    link.failing = false;
    if (!config.interface.empty()) {
        table_.set_interface(id, link.sender.interface_index());
    }
    return {};
}

// A route that is away for a moment costs the packets of that moment; upkeep() replaces a socket
// that is still failing, since our address may have become another one.
void BfdDriver::Impl::send(const bfd::SendControl& packet) {
    const auto link = links_.find(packet.session);
    if (link != links_.end() && link->second.sender.is_open()) {
        link->second.failing = !link->second.sender.send(packet.bytes);
    }
}

void BfdDriver::Impl::send_echo(const bfd::SendEcho& echo) {
    const auto found = links_.find(echo.session);
    const bfd::SessionConfig* config = table_.config(echo.session);
    if (found == links_.end() || config == nullptr || !found->second.sender.is_open()) {
        return;
    }
    Link& link = found->second;
    const Instant now = clock_now();
    link.echoes = true;
    if (!link.neighbour || now >= link.neighbour_until) {
        if (!lookup_) {
            lookup_ = std::make_unique<NeighbourLookup>();
        }
        const std::string& device = config->interface.empty() ? config->vrf : config->interface;
        link.neighbour = lookup_->find(config->remote, device);
        link.neighbour_until = now + kRetry;
    }
    if (!link.neighbour) {
        return;
    }
    EchoSocket* socket = echo_socket(config->remote.family(), link.neighbour->interface_index);
    if (socket != nullptr) {
        socket->send(link.neighbour->mac, bfd::echo_datagram(link.sender.local(), echo.bytes));
    }
}

EchoSocket* BfdDriver::Impl::echo_socket(net::Family family, unsigned interface_index) {
    const EchoKey key{family, interface_index};
    auto found = echo_sockets_.find(key);
    if (found == echo_sockets_.end()) {
        auto socket = EchoSocket::open(executor_, family, interface_index);
        if (!socket) {
            if (handlers_.on_trouble) {
                handlers_.on_trouble("BFD echo: " + to_string(socket.error()));
            }
            return nullptr;
        }
        found = echo_sockets_.emplace(key, *socket).first;
        tasks_.spawn("bfd echoes", receive_echoes(*socket));
    }
    return found->second.get();
}

// A packet socket costs every packet of its interface a filter: none stays longer than needed.
void BfdDriver::Impl::forget_echo_sockets() {
    for (auto entry = echo_sockets_.begin(); entry != echo_sockets_.end();) {
        const unsigned index = entry->first.second;
        const bool used = std::any_of(links_.begin(), links_.end(), [&](const auto& link) {
            const auto& neighbour = link.second.neighbour;
            return link.second.echoes && neighbour && neighbour->interface_index == index;
        });
        if (used) {
            ++entry;
        } else {
            entry->second->close();
            entry = echo_sockets_.erase(entry);
        }
    }
    for (auto& [id, link] : links_) {
        link.echoes = false;
    }
}

void BfdDriver::Impl::forget_receivers() {
    std::vector<ReceiverKey> used;
    for (const auto& [key, id] : table_.keys()) {
        const bfd::SessionConfig& config = *table_.config(id);
        used.emplace_back(config.remote.family(), config.multihop, config.vrf);
    }
    for (auto entry = receivers_.begin(); entry != receivers_.end();) {
        const bool wanted = std::find(used.begin(), used.end(), entry->first) != used.end();
        if (wanted && !entry->second->is_stale()) {
            ++entry;
        } else {
            entry->second->close();
            entry = receivers_.erase(entry);
        }
    }
}

void BfdDriver::Impl::upkeep() {
    forget_receivers();
    forget_echo_sockets();
    std::vector<bfd::SessionId> ids;
    for (const auto& [id, link] : links_) {
        ids.push_back(id);
    }
    for (const bfd::SessionId id : ids) {  // a handler may change links_
        if (links_.contains(id)) {
            open(id);
        }
    }
}

void BfdDriver::Impl::read_control(BfdReceiver& receiver) {
    const Instant now = clock_now();
    receiver.drain([&](const bfd::Arrival& arrival, std::span<const std::byte> payload) {
        table_.on_packet(arrival, payload, now, actions_);
    });
}

void BfdDriver::Impl::read_echoes(EchoSocket& socket) {
    const Instant now = clock_now();
    socket.drain([&](const bfd::EchoArrival& arrival) { table_.on_echo(arrival, now, actions_); });
}

void BfdDriver::Impl::read_everything() {
    for (const auto& [key, receiver] : receivers_) {
        read_control(*receiver);
    }
    for (const auto& [key, socket] : echo_sockets_) {
        read_echoes(*socket);
    }
}

// Handlers may call back in: what that adds is done after what was there before, so that nobody
// hears of changes in another order than they happened.
void BfdDriver::Impl::apply() {
    if (applying_) {
        return;
    }
    applying_ = true;
    while (!actions_.empty()) {
        bfd::Actions actions = std::exchange(actions_, std::exchange(spare_, {}));
        for (const bfd::Action& action : actions) {
            obey(action);
        }
        actions.clear();
        spare_ = std::move(actions);
    }
    applying_ = false;
    if (table_.next_deadline() < timer_.expiry()) {
        timer_.cancel();
    }
}

void BfdDriver::Impl::obey(const bfd::Action& action) {
    if (const auto* packet = std::get_if<bfd::SendControl>(&action)) {
        send(*packet);
    } else if (const auto* echo = std::get_if<bfd::SendEcho>(&action)) {
        send_echo(*echo);
    } else if (const auto* changed = std::get_if<bfd::Changed>(&action)) {
        if (handlers_.on_change) {
            handlers_.on_change(changed->key, changed->state, changed->diagnostic, changed->when);
        }
    } else if (const auto* opened = std::get_if<bfd::Opened>(&action)) {
        open(opened->session);
    } else if (const auto* closed = std::get_if<bfd::Closed>(&action)) {
        links_.erase(closed->session);
    }
}

// Waits for each packet while they are few. When they come close together it looks once a tick.
awaitable<void> BfdDriver::Impl::receive(std::shared_ptr<BfdReceiver> receiver) {
    Instant last{};
    for (;;) {  // GCC 12 makes a trap of a co_await in a loop's condition here
        const bool ready = co_await receiver->readable();
        if (!ready) {
            co_return;
        }
        read_control(*receiver);
        apply();
        const Instant now = clock_now();
        bool busy = now - last < kTick;
        while (busy) {
            const std::uint64_t before = receiver->taken();
            co_await rt::sleep_until(next_tick(clock_now()));
            read_control(*receiver);
            apply();
            busy = receiver->taken() - before > 1;
        }
        last = now;
    }
}

awaitable<void> BfdDriver::Impl::receive_echoes(std::shared_ptr<EchoSocket> socket) {
    for (;;) {  // GCC 12 makes a trap of a co_await in a loop's condition here
        const bool ready = co_await socket->readable();
        if (!ready) {
            co_return;
        }
        read_echoes(*socket);
        apply();
    }
}

awaitable<void> BfdDriver::Impl::run_timer() {
    for (;;) {
        timer_.expires_at(std::min(table_.next_deadline(), clock_now() + kIdle));
        const auto [ec] = co_await timer_.async_wait(kAwait);
        // Whether it expired or was re-armed, what is due is due. What waits in the sockets comes
        // first: a peer that spoke is not silent because this thread was slow to listen.
        (void)ec;
        if (table_.next_deadline() <= clock_now()) {
            read_everything();
            table_.on_deadline(clock_now(), actions_);
        }
        apply();
    }
}

awaitable<void> BfdDriver::Impl::run_upkeep() {
    for (;;) {
        co_await rt::sleep_for(kRetry);
        upkeep();
    }
}

BfdDriver::BfdDriver(const asio::any_io_executor& executor, Options options, Handlers handlers)
    : impl_(std::make_unique<Impl>(executor, options, std::move(handlers))) {}

BfdDriver::~BfdDriver() = default;

void BfdDriver::set_sessions(std::vector<bfd::SessionConfig> sessions) {
    impl_->set_sessions(std::move(sessions));
}

void BfdDriver::set_admin_down(const std::string& key, bool down) {
    impl_->set_admin_down(key, down);
}

std::vector<BfdSessionStatus> BfdDriver::status() const {
    return impl_->status();
}

const bfd::DropCounters& BfdDriver::drops() const {
    return impl_->drops();
}

awaitable<void> BfdDriver::stop() {
    return impl_->stop();
}

}  // namespace steelyard::io
