#pragma once

#include "common/config/config.hpp"
#include "common/kube/model/core.hpp"
#include "common/kube/model/steelyard.hpp"
#include "controller/sim/log.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

// The model API server: Services as JSON and AddressReservations with resourceVersions, writes that
// are refused when the object changed meanwhile, and one log a kind for watches. Pure.
namespace steelyard::controller_sim {

using ServicePtr = std::shared_ptr<const kube::Service>;
using ReservationPtr = std::shared_ptr<const kube::AddressReservation>;

struct ServiceChange {
    kube::ObjectKey key;
    ServicePtr service;  // null: deleted
};
struct ReservationEvent {
    kube::ObjectKey key;
    ReservationPtr reservation;  // null: deleted
};
struct NamespaceChange {
    std::string name;
    kube::Labels labels;
};

class Cluster {
public:
    enum class Answer { Done, Conflict, NotFound };
    struct Stored {
        nlohmann::json object;
        ServicePtr decoded;
    };
    using Services = std::map<kube::ObjectKey, Stored>;
    using Reservations = std::map<kube::ObjectKey, ReservationPtr>;

    // What users do. A Service is `spec` and `annotations`; the rest is made here.
    void create(const kube::ObjectKey& key, const nlohmann::json& object, WallTime now);
    void edit(const kube::ObjectKey& key, const nlohmann::json& merge);
    void remove(const kube::ObjectKey& key);
    void set_config(std::shared_ptr<const config::Config> config);
    void set_labels(const std::string& ns, const kube::Labels& labels);

    // What a controller writes: a merge patch that carries the version it was built from.
    [[nodiscard]] Answer patch_status(const kube::ObjectKey& key, const nlohmann::json& patch);

    // Both of users and controllers. A status is only written by patch_reservation(), which is
    // refused for another version; one that is created anew has none.
    Answer create_reservation(const kube::AddressReservation& made);
    // "" is any version.
    Answer remove_reservation(
        const kube::ObjectKey& key, const std::string& uid, const std::string& version
    );
    // A user's edit of what it keeps, and for how long.
    void edit_reservation(const kube::AddressReservation& wanted);
    Answer patch_reservation(const kube::AddressReservation& wanted);

    [[nodiscard]] const Stored* find(const kube::ObjectKey& key) const;
    [[nodiscard]] const Services& services() const { return services_; }
    [[nodiscard]] const Reservations& reservations() const { return reservations_; }
    [[nodiscard]] const std::shared_ptr<const config::Config>& config() const { return config_; }
    [[nodiscard]] const std::map<std::string, kube::Labels>& namespaces() const {
        return namespaces_;
    }
    // Writes that changed something: of status, and all of reservations.
    [[nodiscard]] std::uint64_t writes() const { return writes_; }

    Log<ServiceChange> service_log;
    Log<std::shared_ptr<const config::Config>> config_log;
    Log<NamespaceChange> namespace_log;
    Log<ReservationEvent> reservation_log;

private:
    void store(const kube::ObjectKey& key, nlohmann::json object);
    void store(kube::AddressReservation reservation);

    Services services_;
    Reservations reservations_;
    std::shared_ptr<const config::Config> config_ = std::make_shared<config::Config>();
    std::map<std::string, kube::Labels> namespaces_;
    std::uint64_t version_ = 0;
    std::uint64_t writes_ = 0;
};

}  // namespace steelyard::controller_sim
