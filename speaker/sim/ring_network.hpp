#pragma once

#include "common/base/rng.hpp"
#include "speaker/ring/watch_ring.hpp"
#include "speaker/sim/virtual_clock.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// Many WatchRing cores on one virtual clock and network. There is no gossip: the test says who the
// members are. Everything random comes from one seed, so a run can be replayed. Node n is called
// node-n and has address 10.(n).. port 7947.
namespace steelyard::sim {

struct RingNetworkConfig {
    std::uint64_t seed = 1;
    Duration delay_min = std::chrono::microseconds(200);
    Duration delay_max = std::chrono::milliseconds(2);
    Duration timer_slack = std::chrono::microseconds(200);  // a timer is up to this late
    double loss = 0;
    double duplication = 0;
    Duration interval = std::chrono::milliseconds(100);
    gossip_wire::KeyRing keys;
};

// A verdict that came into force or ended at one node.
struct RingObservation {
    Instant at;
    std::size_t observer = 0;
    std::string subject;
    bool reachable = true;
};

class RingNetwork {
public:
    RingNetwork(const RingNetworkConfig& config, std::size_t nodes);
    ~RingNetwork();
    RingNetwork(const RingNetwork&) = delete;
    RingNetwork& operator=(const RingNetwork&) = delete;

    // Starts one more node, which knows nobody and whom nobody knows.
    std::size_t start();
    // Tells every running node, within `spread`, that these are the members in their present lives.
    void set_members(const std::set<std::size_t>& members, Duration spread = {});
    void tell_members(std::size_t node, const std::set<std::size_t>& members);
    void leave(std::size_t node);
    void crash(std::size_t node);
    // A crashed node comes back without memory and with a new epoch.
    void restart(std::size_t node);
    // The process does not run; packets for it wait.
    void stall(std::size_t node, Duration span);
    // Nodes in different groups do not hear each other; an empty list heals.
    void partition(const std::vector<std::set<std::size_t>>& groups);
    // Packets for which this says true are lost; an empty function heals.
    using Drop = std::function<bool(std::size_t from, std::size_t to, std::size_t bytes)>;
    void drop(Drop drop) { drop_ = std::move(drop); }
    void set_keys(std::size_t node, const gossip_wire::KeyRing& keys);
    // Delivers bytes now, as if `from` had sent them.
    void inject(std::size_t from, std::size_t to, const wire::Bytes& bytes);
    // Called for each packet that is sent.
    using Tap = std::function<void(std::size_t from, std::size_t to, const wire::Bytes& bytes)>;
    void tap(Tap tap) { tap_ = std::move(tap); }

    void run_for(Duration span);
    // True as soon as the condition holds, tried every millisecond of virtual time.
    bool run_until(const std::function<bool()>& condition, Duration limit);

    [[nodiscard]] Instant now() const { return clock_.now(); }
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    [[nodiscard]] bool running(std::size_t node) const;
    [[nodiscard]] bool stalled(std::size_t node) const;
    // When it last woke from a stall; the beginning of time if never.
    [[nodiscard]] Instant woke_at(std::size_t node) const;
    [[nodiscard]] Instant last_beat(std::size_t node) const;
    [[nodiscard]] const ring::WatchRing& core(std::size_t node) const;
    [[nodiscard]] std::vector<std::size_t> watchers_of(std::size_t node) const;
    [[nodiscard]] const std::vector<RingObservation>& observations() const { return observations_; }
    void clear_observations() { observations_.clear(); }
    [[nodiscard]] std::uint64_t packets() const { return packets_; }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    // Every running, not stalled node but `subject` holds that view of it.
    [[nodiscard]] bool all_hold(std::size_t subject, bool unreachable) const;
    [[nodiscard]] static std::string name_of(std::size_t node);
    [[nodiscard]] static std::size_t number_of(const std::string& name);

private:
    struct Node;
    using Packet = std::shared_ptr<const wire::Bytes>;
    struct Delivery {
        std::size_t from = 0;
        std::size_t to = 0;
        std::uint64_t life = 0;
        Packet packet;
    };
    using Work = std::variant<std::function<void()>, Delivery>;
    using Input = std::function<void(ring::WatchRing&, ring::Actions&)>;

    void run(const Work& work);
    void schedule_packet(std::size_t from, std::size_t to, const Packet& packet);
    void deliver(const Delivery& delivery);
    void boot(std::size_t node);
    void arm(std::size_t node);
    void on_timer(std::size_t node);
    void wake(std::size_t node);
    void drive(std::size_t node, const Input& input);
    void carry_out(std::size_t node);
    void carry_out(std::size_t node, ring::SendPacket& packet);
    void receive(std::size_t node, std::size_t from, const wire::Bytes& bytes);
    Duration up_to(Duration span);
    [[nodiscard]] ring::Peer peer(std::size_t node) const;

    RingNetworkConfig config_;
    Rng rng_;
    VirtualClock<Work> clock_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::vector<RingObservation> observations_;
    ring::Actions actions_;
    Drop drop_;
    Tap tap_;
    std::uint64_t packets_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace steelyard::sim
