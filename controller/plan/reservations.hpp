#pragma once

#include "common/base/time.hpp"
#include "common/config/config.hpp"
#include "common/kube/model/steelyard.hpp"
#include "controller/ipam/allocator.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

// The AddressReservations: those users wrote, and those the controller makes where a policy says
// keepAfterDelete, one for each Service from the moment it gets its addresses, so that they are
// kept even when it is deleted while no controller runs. Each is a claim in the allocator as long
// as it lasts. Times come from outside.
namespace steelyard::controller_plan {

// What has to be done to an AddressReservation object. Create: metadata.name, labels and spec.
// Status: its status becomes that of `object`. Delete: the object with that name and uid.
struct ReservationChange {
    enum class Kind : std::uint8_t { Create, Status, Delete };
    Kind kind = Kind::Create;
    kube::AddressReservation object;
    friend bool operator==(const ReservationChange&, const ReservationChange&) = default;
};

class Reservations {
public:
    Reservations(std::string ns, ipam::Allocator& allocator)
        : ns_(std::move(ns)), allocator_(allocator) {}

    // Both return the Services whose addresses are to be decided again.
    std::vector<kube::ObjectKey> on_object(std::shared_ptr<const kube::AddressReservation> object);
    std::vector<kube::ObjectKey> on_deleted(const kube::ObjectKey& key);

    // The pools or policies changed: every status may be another one.
    void on_config(std::shared_ptr<const config::Config> config);
    // What the Service holds was decided, or it is gone.
    void on_service(const kube::ObjectKey& service);

    // Ends what has expired, before anybody is served.
    void expire(WallTime now);
    // Appends what has to be done. Services of `undecided` are left as they are.
    template <class Undecided>
    void settle(WallTime now, Undecided&& undecided, std::vector<ReservationChange>& changes) {
        for (const kube::ObjectKey& key : std::exchange(dirty_, {})) {
            const auto found = records_.find(key);
            if (found == records_.end()) {
                continue;
            }
            if (undecided(service_of(found->second.wanted))) {
                dirty_.insert(key);
            } else {
                settle_one(key, found->second, now, changes);
            }
        }
    }
    [[nodiscard]] std::optional<WallTime> next_expiry() const;

private:
    struct Status {
        std::string pool;
        std::optional<WallTime> released_at;
        std::optional<WallTime> expires_at;
        bool in_use = false;
        friend bool operator==(const Status&, const Status&) = default;
    };
    struct Record {
        kube::AddressReservation wanted;                        // as decided
        std::shared_ptr<const kube::AddressReservation> shown;  // null: not in the API
        bool ours = false;                                      // made by the controller
        bool ended = false;                                     // is to be deleted
        bool asked_create = false;
        bool asked_delete = false;
        std::optional<Status> told;         // the status last asked for
        std::optional<WallTime> scheduled;  // its entry in expiries_
    };
    [[nodiscard]] static kube::ObjectKey service_of(const kube::AddressReservation& object);
    [[nodiscard]] static Status status_of(const kube::AddressReservation& object);
    [[nodiscard]] std::string pool_of(const std::vector<net::IpAddress>& addresses) const;
    [[nodiscard]] bool covered_by_hand(
        const kube::ObjectKey& service, const std::vector<net::IpAddress>& addresses
    ) const;
    void keep_for_service(const kube::ObjectKey& service);
    void claim(const kube::ObjectKey& key, const Record& record);
    void end(const kube::ObjectKey& key, Record& record);
    void forget(const kube::ObjectKey& key);
    void settle_one(
        const kube::ObjectKey& key,
        Record& record,
        WallTime now,
        std::vector<ReservationChange>& changes
    );
    void decide_status(const kube::ObjectKey& key, Record& record, WallTime now);
    void schedule(const kube::ObjectKey& key, Record& record, std::optional<WallTime> expires);

    std::string ns_;
    ipam::Allocator& allocator_;
    std::shared_ptr<const config::Config> config_;
    bool any_policy_ = false;  // with keepAfterDelete
    std::map<kube::ObjectKey, Record> records_;
    std::map<kube::ObjectKey, std::set<kube::ObjectKey>> by_service_;
    std::set<kube::ObjectKey> dirty_;
    std::set<std::pair<WallTime, kube::ObjectKey>> expiries_;
};

}  // namespace steelyard::controller_plan
