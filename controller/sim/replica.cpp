#include "controller/sim/replica.hpp"

#include "controller/write/status_patch.hpp"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace steelyard::controller_sim {
namespace {

using nlohmann::json;

constexpr unsigned kConflictAttempts = 5;  // as StatusWriters
constexpr double kLoss = 0.1;

}  // namespace

void Replica::start() {
    planner_.emplace(controller_plan::Options{});
    store_.clear();
    reservations_.clear();
    reservation_writes_.start();
    positions_.clear();
    announced_ = false;
    config_.reset();
    config_dirty_ = false;
    wanted_.clear();
    flights_.clear();
    overtaken_ = {};
    // Answers reach nobody; requests may reach the server.
    std::erase_if(messages_, [](const Message& message) { return message.arrived; });
}

bool Replica::synced() const {
    return positions_.size() == std::size(kKinds);
}

std::uint64_t Replica::position(Kind kind) const {
    const auto found = positions_.find(kind);
    if (found != positions_.end()) {
        return found->second;
    }
    switch (kind) {
        case Kind::Services:
            return cluster_.service_log.end();
        case Kind::Namespaces:
            return cluster_.namespace_log.end();
        case Kind::Config:
            return cluster_.config_log.end();
        case Kind::Reservations:
            return cluster_.reservation_log.end();
    }
    return 0;
}

bool Replica::deliver(Kind kind) {
    const auto found = positions_.find(kind);
    if (found == positions_.end()) {
        list(kind);
        return true;
    }
    std::uint64_t& position = found->second;
    switch (kind) {
        case Kind::Services:
            if (position == cluster_.service_log.end()) {
                return false;
            }
            take(cluster_.service_log.at(position++));
            return true;
        case Kind::Namespaces: {
            if (position == cluster_.namespace_log.end()) {
                return false;
            }
            const NamespaceChange& change = cluster_.namespace_log.at(position++);
            planner_->on_namespace(change.name, change.labels);
            return true;
        }
        case Kind::Config:
            if (position == cluster_.config_log.end()) {
                return false;
            }
            config_ = cluster_.config_log.at(position++);
            config_dirty_ = true;
            return true;
        case Kind::Reservations:
            if (position == cluster_.reservation_log.end()) {
                return false;
            }
            take(cluster_.reservation_log.at(position++));
            return true;
    }
    return false;
}

void Replica::relist() {
    for (const Kind kind : kKinds) {
        if (positions_.contains(kind)) {
            list(kind);
        }
    }
}

// A consistent read, told as differences from what is known.
void Replica::list(Kind kind) {
    const bool first = !positions_.contains(kind);
    positions_.erase(kind);
    positions_[kind] = position(kind);
    switch (kind) {
        case Kind::Services:
            list_services();
            return;
        case Kind::Reservations:
            list_reservations();
            return;
        case Kind::Namespaces:
            for (const auto& [name, labels] : cluster_.namespaces()) {
                planner_->on_namespace(name, labels);
            }
            return;
        case Kind::Config:
            config_dirty_ = config_dirty_ || first || config_ != cluster_.config();
            config_ = cluster_.config();
            return;
    }
}

void Replica::list_services() {
    std::vector<kube::ObjectKey> gone;
    for (const auto& [key, service] : store_) {
        if (cluster_.find(key) == nullptr) {
            gone.push_back(key);
        }
    }
    for (const kube::ObjectKey& key : gone) {
        take(ServiceChange{key, nullptr});
    }
    for (const auto& [key, stored] : cluster_.services()) {
        if (store_[key] != stored.decoded) {
            take(ServiceChange{key, stored.decoded});
        }
    }
}

void Replica::list_reservations() {
    const Cluster::Reservations before = reservations_;
    for (const auto& [key, reservation] : before) {
        if (!cluster_.reservations().contains(key)) {
            take(ReservationEvent{key, nullptr});
        }
    }
    for (const auto& [key, reservation] : cluster_.reservations()) {
        const auto known = before.find(key);
        if (known == before.end() || known->second != reservation) {
            take(ReservationEvent{key, reservation});
        }
    }
}

void Replica::take(const ReservationEvent& event) {
    if (event.reservation) {
        reservations_[event.key] = event.reservation;
        planner_->on_reservation(event.reservation);
    } else {
        reservations_.erase(event.key);
        planner_->on_reservation_deleted(event.key);
    }
}

void Replica::take(const ServiceChange& change) {
    if (change.service) {
        store_[change.key] = change.service;
        planner_->on_service(change.service);
        return;
    }
    store_.erase(change.key);
    planner_->on_service_deleted(change.key);
    wanted_.erase(change.key);
}

// As the task `decide` of controller/app/controller.cpp.
bool Replica::plan(WallTime now) {
    if (!synced()) {
        return false;
    }
    if (!std::exchange(announced_, true)) {
        planner_->on_synced();
    }
    if (std::exchange(config_dirty_, false)) {
        planner_->on_config(config_);
    }
    controller_plan::Plan plan = planner_->plan(now);
    bool wrote = !plan.reservations.empty();
    for (controller_plan::ReservationChange& change : plan.reservations) {
        reservation_writes_.put(std::move(change));
    }
    for (controller_plan::Outcome& outcome : plan.outcomes) {
        if (outcome.write) {
            wrote = true;
            wanted_.insert_or_assign(
                outcome.service,
                Wanted{std::move(outcome.uid), std::move(outcome.standing), ++serial_}
            );
        }
    }
    return wrote;
}

bool Replica::begin_write(WallTime now) {
    std::vector<kube::ObjectKey> ready;
    for (const auto& [key, wanted] : wanted_) {
        if (!flights_.contains(key)) {
            ready.push_back(key);
        }
    }
    if (ready.empty()) {
        return false;
    }
    overtaken_.prune([this](const kube::ObjectKey& key) {
        const auto shown = store_.find(key);
        return shown == store_.end() ? std::string() : shown->second->meta.resource_version;
    });
    const kube::ObjectKey key = ready[rng_.below(ready.size())];
    Flight& flight = flights_[key];
    flight.wanted = wanted_.at(key);
    flight.ticket = ++tickets_;
    const auto shown = store_.find(key);
    if (shown == store_.end() || shown->second->meta.uid != flight.wanted.uid) {
        finish(key);
        return true;
    }
    const kube::Service& service = *shown->second;
    if (overtaken_.contains(key, service.meta.resource_version)) {
        ++flight.reads;
        send(key, flight, json());
        return true;
    }
    patch_or_finish(key, flight, controller::status_patch(service, flight.wanted.standing, now));
    return true;
}

void Replica::patch_or_finish(
    const kube::ObjectKey& key, Flight& flight, std::optional<json> patch
) {
    if (patch) {
        flight.version = controller::version_of(*patch);
        send(key, flight, std::move(*patch));
    } else {
        finish(key);
    }
}

void Replica::send(const kube::ObjectKey& key, Flight& flight, json patch) {
    Message message;
    message.key = key;
    message.ticket = flight.ticket;
    message.patch = std::move(patch);
    messages_.push_back(std::move(message));
}

bool Replica::move_message(WallTime now, bool lossy) {
    if (messages_.empty()) {
        return false;
    }
    const auto which = static_cast<std::ptrdiff_t>(rng_.below(messages_.size()));
    const auto message = std::next(messages_.begin(), which);
    const bool trouble = lossy && rng_.unit() < kLoss;
    if (message->arrived) {
        const Message answer = std::move(*message);
        messages_.erase(message);
        if (trouble) {
            failed(answer.ticket);
        } else {
            answered(answer, now);
        }
        return true;
    }
    if (trouble) {
        // Its sender gives up; it is lost, or arrives later.
        failed(message->ticket);
        if (rng_.below(2) == 0) {
            messages_.erase(message);
        }
        return true;
    }
    message->arrived = true;
    if (message->patch.is_null()) {
        const Cluster::Stored* found = cluster_.find(message->key);
        message->answer = found != nullptr ? Cluster::Answer::Done : Cluster::Answer::NotFound;
        message->object = found != nullptr ? found->object : json();
    } else {
        message->answer = cluster_.patch_status(message->key, message->patch);
    }
    return true;
}

bool Replica::move_reservation_message(bool lossy) {
    return reservation_writes_.move(rng_, lossy ? kLoss : 0);
}

void Replica::answered(const Message& message, WallTime now) {
    const auto found = flights_.find(message.key);
    if (found == flights_.end() || found->second.ticket != message.ticket) {
        return;
    }
    Flight& flight = found->second;
    if (message.answer == Cluster::Answer::NotFound) {
        finish(message.key);
    } else if (!message.patch.is_null()) {
        if (message.answer == Cluster::Answer::Done) {
            overtaken_.add(message.key, flight.version);
            finish(message.key);
        } else if (++flight.reads > kConflictAttempts) {
            failed(flight.ticket);
        } else {
            send(message.key, flight, json());
        }
    } else if (controller::uid_of(message.object) != flight.wanted.uid) {
        finish(message.key);
    } else {
        patch_or_finish(
            message.key,
            flight,
            controller::status_patch(message.object, flight.wanted.standing, now)
        );
    }
}

// It is tried again from the start.
void Replica::failed(std::uint64_t ticket) {
    std::erase_if(flights_, [&](const auto& entry) { return entry.second.ticket == ticket; });
}

void Replica::finish(const kube::ObjectKey& key) {
    const std::uint64_t serial = flights_.at(key).wanted.serial;
    flights_.erase(key);
    const auto wanted = wanted_.find(key);
    if (wanted != wanted_.end() && wanted->second.serial == serial) {
        wanted_.erase(wanted);
    }
}

}  // namespace steelyard::controller_sim
