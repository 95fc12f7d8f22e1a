#pragma once

#include "common/base/rng.hpp"
#include "controller/plan/reservations.hpp"
#include "controller/sim/cluster.hpp"

#include <cstdint>
#include <list>
#include <map>
#include <set>

// What one controller wants done to AddressReservations, as messages on their way. Writing follows
// controller/write/reservation_writer.cpp: one write of an object at a time, a newer change takes
// the place of one that waits, a Conflict or NotFound is left to the watch. Pure.
namespace steelyard::controller_sim {

class ReservationWrites {
public:
    explicit ReservationWrites(Cluster& cluster) : cluster_(cluster) {}

    // A new process: what the old one had in flight may still arrive.
    void start();
    void put(controller_plan::ReservationChange change);
    // Begins one write; false when none waits.
    bool begin(Rng& rng);
    // One message moves, as Replica::move_message(); false when there is none.
    bool move(Rng& rng, double loss);

private:
    struct Wanted {
        controller_plan::ReservationChange change;
        std::uint64_t serial = 0;
    };
    struct Message {
        Wanted wanted;
        std::uint64_t ticket = 0;  // the attempt it belongs to
        bool arrived = false;
    };

    void carry_out(const controller_plan::ReservationChange& change);
    void ended(const Message& message, bool done);

    Cluster& cluster_;
    std::map<kube::ObjectKey, Wanted> wanted_;
    std::map<kube::ObjectKey, std::uint64_t> in_flight_;  // the ticket under way
    std::uint64_t serial_ = 0;
    std::uint64_t tickets_ = 0;
    std::list<Message> messages_;
};

}  // namespace steelyard::controller_sim
