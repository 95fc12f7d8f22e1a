#include "common/config/validate.hpp"

#include "common/config/parse.hpp"
#include "common/config/reservation.hpp"
#include "common/config/rules.hpp"

#include <map>

namespace steelyard::config {
namespace {

// An address kept for two Services is kept for neither.
void check_reservations(const Objects& objects, std::vector<Problem>& problems) {
    struct Kept {
        kube::ObjectKey by;
        kube::ObjectKey service;
    };
    std::map<net::IpAddress, Kept> first;
    for (const kube::AddressReservation* object :
         by_name(Kind::AddressReservation, objects.address_reservations, problems)) {
        const auto reservation = parse_reservation(*object, problems);
        if (!reservation) {
            continue;
        }
        for (std::size_t i = 0; i < reservation->addresses.size(); ++i) {
            const Kept kept{object->meta.key, reservation->service};
            const auto [other, is_new] = first.emplace(reservation->addresses[i], kept);
            if (!is_new && other->second.service != reservation->service) {
                ObjectCheck(Kind::AddressReservation, object->meta.key, problems)
                    .add(
                        at("spec.addresses", i),
                        object->addresses[i],
                        "an address is kept for one Service, and AddressReservation " +
                            to_string(other->second.by) + " keeps this one for Service " +
                            to_string(other->second.service)
                    );
            }
        }
    }
}

}  // namespace

Findings validate(const Objects& objects) {
    Parsed parsed = parse_all(objects);
    Findings findings;
    findings.problems = std::move(parsed.problems);
    check_reservations(objects, findings.problems);
    findings.warnings = warn(objects, parsed.config);
    return findings;
}

}  // namespace steelyard::config
