#pragma once

#include "common/kube/client/api.hpp"
#include "controller/plan/planner.hpp"
#include "controller/write/write_queue.hpp"

#include <cstdint>
#include <map>

// Carries out what the Planner wants done to AddressReservations: make one, write its status,
// delete it. Changes of one object keep their order, several objects go at once. The watch shows
// what came of it; a change that somebody else's write made meaningless is dropped, and the Planner
// decides again.
namespace steelyard::controller {

class ReservationWriter {
public:
    // References outlive the tasks.
    ReservationWriter(
        const asio::any_io_executor& executor,
        kube::KubeApi& api,
        const log::Logger& logger,
        metrics::CounterFamily& errors,
        std::uint64_t seed
    );

    // Once. The group is joined before this object dies; cancelling it ends the writes in flight.
    void start(rt::TaskGroup& group) { queue_.start(group); }
    // Only queues; a newer change of the same object replaces one not yet written.
    void put(controller_plan::ReservationChange change);
    awaitable<void> drain(Instant deadline) { return queue_.drain(deadline); }

private:
    struct Wanted {
        controller_plan::ReservationChange change;
        std::uint64_t serial = 0;
    };

    awaitable<Written> write(kube::ObjectKey key);
    awaitable<Result<>> create(kube::AddressReservation reservation);
    awaitable<Result<>> write_status(kube::AddressReservation reservation);
    awaitable<Result<>> remove(kube::AddressReservation reservation);

    kube::KubeApi& api_;
    std::map<kube::ObjectKey, Wanted> wanted_;
    std::uint64_t serial_ = 0;
    WriteQueue queue_;
};

}  // namespace steelyard::controller
