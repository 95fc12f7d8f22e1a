#include "common/config/validate.hpp"

#include "common/config/parse.hpp"
#include "common/config/reservation.hpp"

namespace steelyard::config {

Findings validate(const Objects& objects) {
    Findings findings;
    findings.problems = parse(objects).problems;
    for (const kube::AddressReservation* object :
         by_name(Kind::AddressReservation, objects.address_reservations, findings.problems)) {
        static_cast<void>(parse_reservation(*object, findings.problems));
    }
    return findings;
}

}  // namespace steelyard::config
