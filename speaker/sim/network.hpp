#pragma once

#include "common/base/rng.hpp"
#include "speaker/gossip/membership.hpp"
#include "speaker/sim/virtual_clock.hpp"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

// Many Membership cores on one virtual clock and network. Everything that is random comes from one
// seed, so a run can be replayed. Node n is called node-n and has address 10.(n).. port 7946.
namespace steelyard::sim {

struct NetworkConfig {
    std::uint64_t seed = 1;
    Duration delay_min = std::chrono::microseconds(200);
    Duration delay_max = std::chrono::milliseconds(2);
    double loss = 0;         // of packets; streams arrive or fail as a whole
    double duplication = 0;  // of packets
    gossip::Timing timing = gossip::timing(gossip::Profile::Fast);
    gossip_wire::KeyRing keys;
};

// A change of membership as one node saw it. Small: a large cluster makes millions of them.
struct Observation {
    Instant at;
    std::uint32_t observer = 0;
    std::uint32_t member = 0;
    gossip::Changed::Kind kind = gossip::Changed::Kind::Joined;
};

class GossipNetwork {
public:
    explicit GossipNetwork(const NetworkConfig& config);
    ~GossipNetwork();
    GossipNetwork(const GossipNetwork&) = delete;
    GossipNetwork& operator=(const GossipNetwork&) = delete;

    // Starts a node; returns its number.
    std::size_t start();
    // Starts this many, each joining the first, spread over `within`, and runs until all know all.
    // False when that did not happen in `limit`.
    bool start_cluster(std::size_t nodes, Duration within, Duration limit);
    // Starts this many that know each other from the beginning.
    void start_known(std::size_t nodes);
    // Gives every node everybody's address, as discovery would.
    void introduce_all();
    void join(std::size_t node, std::size_t peer);
    void leave(std::size_t node);

    void crash(std::size_t node);
    // A crashed node comes back without memory.
    void restart(std::size_t node);
    // The process does not run; packets for it wait.
    void stall(std::size_t node, Duration span);
    // Nodes in different groups do not hear each other; an empty list heals.
    void partition(const std::vector<std::set<std::size_t>>& groups);
    void set_loss(double loss) { config_.loss = loss; }

    void run_for(Duration span);
    // True as soon as the condition holds, tried every 10 ms of virtual time.
    bool run_until(const std::function<bool()>& condition, Duration limit);

    [[nodiscard]] Instant now() const { return clock_.now(); }
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    gossip::Membership& core(std::size_t node);
    [[nodiscard]] const std::vector<Observation>& observations() const { return observations_; }
    void clear_observations();
    [[nodiscard]] std::size_t count(gossip::Changed::Kind kind) const {
        return counts_[static_cast<std::size_t>(kind)];
    }
    [[nodiscard]] std::uint64_t packets() const { return packets_; }
    [[nodiscard]] std::uint64_t streams() const { return streams_; }
    [[nodiscard]] bool is_running(std::size_t node) const;
    [[nodiscard]] bool leave_finished(std::size_t node) const;

    // Every running node sees exactly these members alive.
    [[nodiscard]] bool all_see(const std::set<std::size_t>& alive) const;
    // Every running node sees every running node alive.
    [[nodiscard]] bool converged() const;
    [[nodiscard]] static std::string name_of(std::size_t node);

private:
    struct Node;
    using Work = std::function<void()>;

    void arm(std::size_t node);
    void wake(std::size_t node);
    // Runs `input` on a node now, or when it stops being stalled; then carries out its actions.
    void drive(std::size_t node, std::function<void(gossip::Membership&, gossip::Actions&)> input);
    void carry_out(std::size_t node, gossip::Actions& actions);
    void carry_out(std::size_t node, gossip::SendPacket& packet);
    void carry_out(std::size_t node, gossip::OpenStream& stream);
    void open_inbound(
        std::size_t from, gossip::StreamId id, std::size_t to, const wire::Bytes& request
    );
    [[nodiscard]] std::optional<std::size_t> node_at(const net::Endpoint& address) const;
    [[nodiscard]] bool connected(std::size_t a, std::size_t b) const;
    Duration delay();
    void boot(std::size_t node);

    NetworkConfig config_;
    Rng rng_;
    VirtualClock<Work> clock_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::vector<Observation> observations_;
    std::array<std::size_t, 6> counts_{};  // of them, by kind
    std::uint64_t packets_ = 0;
    std::uint64_t streams_ = 0;
};

}  // namespace steelyard::sim
