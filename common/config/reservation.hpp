#pragma once

#include "common/config/config.hpp"
#include "common/kube/model/steelyard.hpp"
#include "common/net/ip.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

// An AddressReservation, checked. Apart from Config: reservations come and go with Services, and a
// wrong one concerns nobody but its own Service.
namespace steelyard::config {

struct Reservation {
    std::string name;
    kube::ObjectKey service;
    std::vector<net::IpAddress> addresses;         // 1, or 2 of different families
    std::optional<std::chrono::seconds> keep_for;  // after the Service is gone; absent: for ever
    friend bool operator==(const Reservation&, const Reservation&) = default;
};

// nullopt: `problems` says why.
[[nodiscard]] std::optional<Reservation> parse_reservation(
    const kube::AddressReservation& object, std::vector<Problem>& problems
);

}  // namespace steelyard::config
