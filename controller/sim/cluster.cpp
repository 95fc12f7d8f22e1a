#include "controller/sim/cluster.hpp"

#include "common/base/check.hpp"
#include "common/kube/model/encode.hpp"
#include "common/kube/model/resource.hpp"

#include <utility>

namespace steelyard::controller_sim {

using nlohmann::json;

void Cluster::create(const kube::ObjectKey& key, const json& object, WallTime now) {
    json made = object;
    json& meta = made["metadata"];
    meta["namespace"] = key.ns;
    meta["name"] = key.name;
    meta["uid"] = "uid-" + std::to_string(version_);
    meta["creationTimestamp"] = kube::format_rfc3339(now);
    store(key, std::move(made));
}

void Cluster::edit(const kube::ObjectKey& key, const json& merge) {
    const auto found = services_.find(key);
    if (found == services_.end()) {
        return;
    }
    json object = found->second.object;
    object.merge_patch(merge);
    if (object != found->second.object) {
        store(key, std::move(object));
    }
}

void Cluster::remove(const kube::ObjectKey& key) {
    if (services_.erase(key) != 0) {
        ++version_;
        service_log.push({key, nullptr});
    }
}

void Cluster::set_config(std::shared_ptr<const config::Config> config) {
    config_ = std::move(config);
    config_log.push(config_);
}

void Cluster::set_labels(const std::string& ns, const kube::Labels& labels) {
    namespaces_[ns] = labels;
    namespace_log.push({ns, labels});
}

Cluster::Answer Cluster::patch_status(const kube::ObjectKey& key, const json& patch) {
    const auto found = services_.find(key);
    if (found == services_.end()) {
        return Answer::NotFound;
    }
    const json& before = found->second.object;
    if (patch["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]) {
        return Answer::Conflict;
    }
    json object = before;
    object.merge_patch(patch);
    if (object != before) {
        ++writes_;
        store(key, std::move(object));
    }
    return Answer::Done;
}

Cluster::Answer Cluster::create_reservation(const kube::AddressReservation& made) {
    if (reservations_.contains(made.meta.key)) {
        return Answer::Conflict;
    }
    kube::AddressReservation object;
    object.meta.key = made.meta.key;
    object.meta.labels = made.meta.labels;
    object.meta.uid = "uid-" + std::to_string(version_);
    object.service_namespace = made.service_namespace;
    object.service_name = made.service_name;
    object.addresses = made.addresses;
    object.keep_for = made.keep_for;
    ++writes_;
    store(std::move(object));
    return Answer::Done;
}

Cluster::Answer Cluster::remove_reservation(
    const kube::ObjectKey& key, const std::string& uid, const std::string& version
) {
    const auto found = reservations_.find(key);
    if (found == reservations_.end()) {
        return Answer::NotFound;
    }
    const kube::ObjectMeta& meta = found->second->meta;
    if (meta.uid != uid || (!version.empty() && meta.resource_version != version)) {
        return Answer::Conflict;
    }
    ++version_;
    ++writes_;
    reservations_.erase(found);
    reservation_log.push({key, nullptr});
    return Answer::Done;
}

void Cluster::edit_reservation(const kube::AddressReservation& wanted) {
    const auto found = reservations_.find(wanted.meta.key);
    if (found == reservations_.end()) {
        return;
    }
    kube::AddressReservation object = *found->second;
    object.addresses = wanted.addresses;
    object.keep_for = wanted.keep_for;
    store(std::move(object));
}

Cluster::Answer Cluster::patch_reservation(const kube::AddressReservation& wanted) {
    const auto found = reservations_.find(wanted.meta.key);
    if (found == reservations_.end()) {
        return Answer::NotFound;
    }
    if (found->second->meta.resource_version != wanted.meta.resource_version) {
        return Answer::Conflict;
    }
    kube::AddressReservation object = *found->second;
    object.pool = wanted.pool;
    object.released_at = wanted.released_at;
    object.expires_at = wanted.expires_at;
    object.in_use = wanted.in_use;
    if (object != *found->second) {
        ++writes_;
        store(std::move(object));
    }
    return Answer::Done;
}

const Cluster::Stored* Cluster::find(const kube::ObjectKey& key) const {
    const auto found = services_.find(key);
    return found == services_.end() ? nullptr : &found->second;
}

void Cluster::store(const kube::ObjectKey& key, json object) {
    object["metadata"]["resourceVersion"] = std::to_string(++version_);
    auto decoded = kube::Resource<kube::Service>::decode(object);
    SY_CHECK(decoded.has_value(), "the model only makes right Services");
    Stored& stored = services_[key];
    stored.object = std::move(object);
    stored.decoded = std::make_shared<const kube::Service>(std::move(*decoded));
    service_log.push({key, stored.decoded});
}

void Cluster::store(kube::AddressReservation reservation) {
    reservation.meta.resource_version = std::to_string(++version_);
    const kube::ObjectKey key = reservation.meta.key;
    ReservationPtr& stored = reservations_[key];
    stored = std::make_shared<const kube::AddressReservation>(std::move(reservation));
    reservation_log.push({key, stored});
}

}  // namespace steelyard::controller_sim
