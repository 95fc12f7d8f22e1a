#include "controller/plan/reservations.hpp"

#include "common/base/duration.hpp"

#include <algorithm>
#include <chrono>

namespace steelyard::controller_plan {
namespace {

std::vector<net::IpAddress> addresses_of(const kube::AddressReservation& object) {
    std::vector<net::IpAddress> addresses;
    for (const std::string& text : object.addresses) {
        const auto address = net::IpAddress::parse(text);
        if (address && std::ranges::find(addresses, *address) == addresses.end()) {
            addresses.push_back(*address);
        }
    }
    return addresses;
}

// Absent: for ever. So is what cannot be read: a typing error must not give an address away.
std::optional<Duration> keep_of(const kube::AddressReservation& object) {
    return object.keep_for.empty() ? std::nullopt : parse_duration(object.keep_for);
}

bool made_by_us(const kube::AddressReservation& object) {
    const auto label = object.meta.labels.find(kube::kManagedByLabel);
    return label != object.meta.labels.end() && label->second == kube::kManagedByController;
}

bool same_spec(const kube::AddressReservation& a, const kube::AddressReservation& b) {
    return a.service_namespace == b.service_namespace && a.service_name == b.service_name &&
           addresses_of(a) == addresses_of(b) && keep_of(a) == keep_of(b);
}

void copy_spec(const kube::AddressReservation& from, kube::AddressReservation& to) {
    to.service_namespace = from.service_namespace;
    to.service_name = from.service_name;
    to.addresses = from.addresses;
    to.keep_for = from.keep_for;
}

}  // namespace

kube::ObjectKey Reservations::service_of(const kube::AddressReservation& object) {
    return {object.service_namespace, object.service_name};
}

Reservations::Status Reservations::status_of(const kube::AddressReservation& object) {
    return {object.pool, object.released_at, object.expires_at, object.in_use};
}

std::vector<kube::ObjectKey> Reservations::on_object(
    std::shared_ptr<const kube::AddressReservation> object
) {
    const kube::ObjectKey key = object->meta.key;
    std::vector<kube::ObjectKey> touched;
    const auto known = records_.find(key);
    if (known != records_.end() && !known->second.ours && known->second.shown &&
        known->second.shown->meta.uid != object->meta.uid) {
        touched = on_deleted(key);  // deleted and made again between two looks
    }
    const auto [entry, added] = records_.try_emplace(key);
    Record& record = entry->second;
    if (added) {
        record.wanted = *object;
    }
    // What the controller made says what it decided while its Service holds the addresses; later,
    // and for all others, the user has the last word.
    record.ours = made_by_us(*object);
    const kube::ObjectKey before = service_of(record.wanted);
    if (!record.ours || (!record.wanted.in_use && !record.asked_delete)) {
        copy_spec(*object, record.wanted);
    }
    // Two leaders that saw the Service go at different times, or of which one never saw it use the
    // addresses, agree on the later time; else each would write its own over the other's for ever.
    if (!record.wanted.in_use) {
        record.wanted.released_at = std::max(record.wanted.released_at, object->released_at);
    }
    record.wanted.meta = object->meta;
    record.shown = std::move(object);
    // A write that met a newer version than it was made for came to nothing: asked for again.
    record.told.reset();
    record.asked_delete = false;
    const kube::ObjectKey service = service_of(record.wanted);
    if (before != service) {
        by_service_[before].erase(key);
    }
    by_service_[service].insert(key);
    dirty_.insert(key);
    if (!record.ended) {
        claim(key, record);
    }
    touched.insert(touched.end(), {before, service});
    return touched;
}

std::vector<kube::ObjectKey> Reservations::on_deleted(const kube::ObjectKey& key) {
    const auto found = records_.find(key);
    if (found == records_.end()) {
        return {};
    }
    Record& record = found->second;
    const kube::ObjectKey service = service_of(record.wanted);
    if (record.ours && !record.ended && (record.wanted.in_use || record.asked_delete)) {
        record.shown = nullptr;  // its Service needs it: made again
        record.asked_create = false;
        record.asked_delete = false;
        record.told.reset();
        dirty_.insert(key);
    } else {
        forget(key);
    }
    return {service};
}

void Reservations::on_config(std::shared_ptr<const config::Config> config) {
    config_ = std::move(config);
    any_policy_ = std::ranges::any_of(config_->policies, [](const auto& policy) {
        return policy.keep_after_delete.has_value();
    });
    for (const auto& [key, record] : records_) {
        dirty_.insert(key);
    }
}

void Reservations::on_service(const kube::ObjectKey& service) {
    if (!any_policy_ && records_.empty()) {
        return;
    }
    keep_for_service(service);
    if (const auto found = by_service_.find(service); found != by_service_.end()) {
        dirty_.insert(found->second.begin(), found->second.end());
    }
}

// Where a policy says keepAfterDelete, the reservation that will keep what the Service holds now.
void Reservations::keep_for_service(const kube::ObjectKey& service) {
    const auto held = config_ ? allocator_.find(service) : std::nullopt;
    if (!held) {
        return;
    }
    const auto keep = config_->keep_after_delete(held->pool);
    const kube::ObjectKey key{ns_, service.ns + "." + service.name};
    const auto found = records_.find(key);
    if (found != records_.end() && !found->second.ours) {
        return;
    }
    if (!keep || keep->count() == 0 || covered_by_hand(service, held->addresses)) {
        if (found != records_.end()) {
            end(key, found->second);
        }
        return;
    }
    Record& record = records_[key];
    kube::AddressReservation wanted = record.wanted;
    wanted.meta.key = key;
    wanted.meta.labels = {
        {std::string(kube::kManagedByLabel), std::string(kube::kManagedByController)}};
    wanted.service_namespace = service.ns;
    wanted.service_name = service.name;
    wanted.keep_for = std::to_string(keep->count()) + "s";
    wanted.addresses.clear();
    for (const net::IpAddress& address : held->addresses) {
        wanted.addresses.push_back(to_string(address));
    }
    record.ours = true;
    if (record.ended || record.wanted.addresses.empty() || !same_spec(record.wanted, wanted)) {
        record.ended = false;
        record.wanted = std::move(wanted);
        by_service_[service].insert(key);
        claim(key, record);
    }
    dirty_.insert(key);
}

bool Reservations::covered_by_hand(
    const kube::ObjectKey& service, const std::vector<net::IpAddress>& addresses
) const {
    const auto found = by_service_.find(service);
    if (found == by_service_.end()) {
        return false;
    }
    return std::ranges::any_of(found->second, [&](const kube::ObjectKey& key) {
        const Record& record = records_.at(key);
        const auto kept = addresses_of(record.wanted);
        return !record.ours && !record.ended &&
               std::ranges::all_of(addresses, [&](const net::IpAddress& address) {
                   return std::ranges::find(kept, address) != kept.end();
               });
    });
}

void Reservations::claim(const kube::ObjectKey& key, const Record& record) {
    allocator_.reserve({key, service_of(record.wanted), addresses_of(record.wanted)});
}

void Reservations::end(const kube::ObjectKey& key, Record& record) {
    record.ended = true;
    allocator_.unreserve(key);
    schedule(key, record, std::nullopt);
    dirty_.insert(key);
}

void Reservations::forget(const kube::ObjectKey& key) {
    const auto found = records_.find(key);
    const auto service = by_service_.find(service_of(found->second.wanted));
    if (service != by_service_.end()) {
        service->second.erase(key);
        if (service->second.empty()) {
            by_service_.erase(service);
        }
    }
    allocator_.unreserve(key);
    schedule(key, found->second, std::nullopt);
    dirty_.erase(key);
    records_.erase(found);
}

void Reservations::expire(WallTime now) {
    while (!expiries_.empty() && expiries_.begin()->first <= now) {
        const kube::ObjectKey key = expiries_.begin()->second;
        end(key, records_.at(key));
    }
}

std::optional<WallTime> Reservations::next_expiry() const {
    return expiries_.empty() ? std::nullopt : std::optional(expiries_.begin()->first);
}

void Reservations::settle_one(
    const kube::ObjectKey& key,
    Record& record,
    WallTime now,
    std::vector<ReservationChange>& changes
) {
    using Kind = ReservationChange::Kind;
    if (!record.ended) {
        decide_status(key, record, now);
    }
    const bool outdated = record.shown && record.ours && !same_spec(record.wanted, *record.shown);
    if (record.shown && (record.ended || record.asked_delete || outdated)) {
        if (!std::exchange(record.asked_delete, true)) {
            changes.push_back({Kind::Delete, *record.shown});
        }
        return;
    }
    if (record.ended) {
        if (record.asked_create) {
            changes.push_back({Kind::Delete, record.wanted});  // its creation may still wait
        }
        forget(key);
        return;
    }
    if (!record.shown) {
        if (!std::exchange(record.asked_create, true)) {
            changes.push_back({Kind::Create, record.wanted});
        }
        return;
    }
    const Status status = status_of(record.wanted);
    if (status != status_of(*record.shown) && status != record.told) {
        record.told = status;
        changes.push_back({Kind::Status, record.wanted});
    }
}

void Reservations::decide_status(const kube::ObjectKey& key, Record& record, WallTime now) {
    kube::AddressReservation& wanted = record.wanted;
    const auto addresses = addresses_of(wanted);
    const auto held = allocator_.find(service_of(wanted));
    const bool in_use = held && std::ranges::any_of(held->addresses, [&](const auto& address) {
                            return std::ranges::find(addresses, address) != addresses.end();
                        });
    if (record.ours && held && !in_use) {
        end(key, record);  // its Service is back, with other addresses
        return;
    }
    // One written by hand before its Service is there waits for it.
    const bool was_used = record.ours || wanted.in_use || wanted.released_at;
    wanted.pool = pool_of(addresses);
    wanted.in_use = in_use;
    if (in_use || !was_used) {
        wanted.released_at.reset();
    } else if (!wanted.released_at) {
        wanted.released_at = std::chrono::floor<std::chrono::seconds>(now);
    }
    const auto keep = keep_of(wanted);
    wanted.expires_at.reset();
    if (wanted.released_at && keep) {
        wanted.expires_at = *wanted.released_at + std::chrono::ceil<std::chrono::seconds>(*keep);
    }
    if (wanted.expires_at && *wanted.expires_at <= now) {
        end(key, record);
        return;
    }
    schedule(key, record, wanted.expires_at);
}

void Reservations::schedule(
    const kube::ObjectKey& key, Record& record, std::optional<WallTime> expires
) {
    if (record.scheduled) {
        expiries_.erase({*record.scheduled, key});
    }
    record.scheduled = expires;
    if (expires) {
        expiries_.emplace(*expires, key);
    }
}

std::string Reservations::pool_of(const std::vector<net::IpAddress>& addresses) const {
    const config::Pool* pool =
        config_ && !addresses.empty() ? config_->pool_of(addresses.front()) : nullptr;
    return pool == nullptr ? std::string() : pool->name;
}

}  // namespace steelyard::controller_plan
