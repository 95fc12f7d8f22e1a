#pragma once

#include "common/base/rng.hpp"
#include "controller/plan/planner.hpp"
#include "controller/sim/cluster.hpp"
#include "controller/sim/reservation_writes.hpp"
#include "controller/write/overtaken.hpp"

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>

// One controller process that believes it leads: the real Planner and the real status patches on
// the model API server. Each kind is watched apart and as late as one likes; a write is several
// messages that the simulation delivers, loses or repeats. Writing follows
// controller/write/status_writers.cpp, which needs a loop and a clock. Pure.
namespace steelyard::controller_sim {

enum class Kind { Services, Namespaces, Config, Reservations };
inline constexpr Kind kKinds[] = {
    Kind::Services, Kind::Namespaces, Kind::Config, Kind::Reservations};

// A request on its way to the server, with its answer once it was there.
struct Message {
    kube::ObjectKey key;
    std::uint64_t ticket = 0;  // the write it belongs to
    nlohmann::json patch;      // null: a read
    bool arrived = false;
    Cluster::Answer answer = Cluster::Answer::Done;
    nlohmann::json object;  // what a read found
};

class Replica {
public:
    Replica(Cluster& cluster, Rng rng)
        : cluster_(cluster), rng_(rng), reservation_writes_(cluster) {
        start();
    }

    // A new process: it knows nothing, and what the old one had in flight may still arrive.
    void start();
    // The next change of that kind, or the first list; false when there is none.
    bool deliver(Kind kind);
    // The watch broke and its version is gone: everything is listed again.
    void relist();
    // Decides; false when nothing was to be written.
    bool plan(WallTime now);
    // Begins one write; false when none waits.
    bool begin_write(WallTime now);
    bool begin_reservation_write() { return reservation_writes_.begin(rng_); }
    // One message moves: to the server, or its answer back, which may get lost. False when there is
    // none.
    bool move_message(WallTime now, bool lossy);
    bool move_reservation_message(bool lossy);

    [[nodiscard]] bool synced() const;
    [[nodiscard]] const controller_plan::Planner& planner() const { return *planner_; }
    [[nodiscard]] std::uint64_t position(Kind kind) const;

private:
    struct Wanted {
        std::string uid;
        controller_plan::Standing standing;
        std::uint64_t serial = 0;
    };
    struct Flight {
        Wanted wanted;
        std::uint64_t ticket = 0;
        std::string version;  // of the patch under way
        unsigned reads = 0;   // of this write, after conflicts
    };
    using Flights = std::map<kube::ObjectKey, Flight>;

    void take(const ServiceChange& change);
    void take(const ReservationEvent& event);
    void list(Kind kind);
    void list_services();
    void list_reservations();
    void send(const kube::ObjectKey& key, Flight& flight, nlohmann::json patch);
    void answered(const Message& message, WallTime now);
    void failed(std::uint64_t ticket);
    void finish(const kube::ObjectKey& key);
    void patch_or_finish(
        const kube::ObjectKey& key, Flight& flight, std::optional<nlohmann::json> patch
    );

    Cluster& cluster_;
    Rng rng_;
    std::optional<controller_plan::Planner> planner_;
    std::map<kube::ObjectKey, ServicePtr> store_;
    Cluster::Reservations reservations_;
    std::map<Kind, std::uint64_t> positions_;  // of the kinds that were listed
    bool announced_ = false;
    std::shared_ptr<const config::Config> config_;
    bool config_dirty_ = false;

    std::map<kube::ObjectKey, Wanted> wanted_;
    std::uint64_t serial_ = 0;
    Flights flights_;
    std::uint64_t tickets_ = 0;
    controller::Overtaken overtaken_;
    std::list<Message> messages_;
    ReservationWrites reservation_writes_;
};

}  // namespace steelyard::controller_sim
