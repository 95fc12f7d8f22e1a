#include "controller/sim/reservation_writes.hpp"

#include <iterator>
#include <utility>
#include <vector>

namespace steelyard::controller_sim {

using controller_plan::ReservationChange;

void ReservationWrites::start() {
    wanted_.clear();
    in_flight_.clear();
    std::erase_if(messages_, [](const Message& message) { return message.arrived; });
}

void ReservationWrites::put(ReservationChange change) {
    const kube::ObjectKey key = change.object.meta.key;
    wanted_.insert_or_assign(key, Wanted{std::move(change), ++serial_});
}

bool ReservationWrites::begin(Rng& rng) {
    std::vector<kube::ObjectKey> ready;
    for (const auto& [key, wanted] : wanted_) {
        if (!in_flight_.contains(key)) {
            ready.push_back(key);
        }
    }
    if (ready.empty()) {
        return false;
    }
    const Wanted& wanted = wanted_.at(ready[rng.below(ready.size())]);
    Message message;
    message.wanted = wanted;
    message.ticket = ++tickets_;
    in_flight_[wanted.change.object.meta.key] = message.ticket;
    messages_.push_back(std::move(message));
    return true;
}

bool ReservationWrites::move(Rng& rng, double loss) {
    if (messages_.empty()) {
        return false;
    }
    const auto which = static_cast<std::ptrdiff_t>(rng.below(messages_.size()));
    const auto message = std::next(messages_.begin(), which);
    const bool trouble = rng.unit() < loss;
    if (message->arrived || trouble) {
        ended(*message, message->arrived && !trouble);
        // Its sender gives up one that has not arrived; it is lost, or arrives later.
        if (message->arrived || rng.below(2) == 0) {
            messages_.erase(message);
        }
        return true;
    }
    message->arrived = true;
    carry_out(message->wanted.change);
    return true;
}

void ReservationWrites::carry_out(const ReservationChange& change) {
    switch (change.kind) {
        case ReservationChange::Kind::Create:
            (void)cluster_.create_reservation(change.object);
            return;
        case ReservationChange::Kind::Status:
            (void)cluster_.patch_reservation(change.object);
            return;
        case ReservationChange::Kind::Delete:
            (void)cluster_.remove_reservation(
                change.object.meta.key, change.object.meta.uid, change.object.meta.resource_version
            );
            return;
    }
}

void ReservationWrites::ended(const Message& message, bool done) {
    const kube::ObjectKey& key = message.wanted.change.object.meta.key;
    const auto flight = in_flight_.find(key);
    if (flight == in_flight_.end() || flight->second != message.ticket) {
        return;  // its sender has given up, or is no more
    }
    in_flight_.erase(flight);
    const auto wanted = wanted_.find(key);
    if (done && wanted != wanted_.end() && wanted->second.serial == message.wanted.serial) {
        wanted_.erase(wanted);
    }
}

}  // namespace steelyard::controller_sim
