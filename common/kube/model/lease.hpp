#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/kube/model/resource.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

// coordination.k8s.io/v1 Lease, as client-go's leader election writes it: times are MicroTimes, and
// a released Lease has holder "" and a duration of one second. What is missing reads as "", zero or
// no value.
namespace steelyard::kube {

struct Lease {
    ObjectMeta meta;
    std::string holder;  // identity of who leads; "" = released or never held
    std::chrono::seconds duration{0};
    std::optional<WallTime> acquire;
    std::optional<WallTime> renew;
    std::int64_t transitions = 0;  // how often the holder changed
    friend bool operator==(const Lease&, const Lease&) = default;
};

[[nodiscard]] Result<Lease> decode_lease(const nlohmann::json& object);

template <>
struct Resource<Lease> {
    static constexpr ResourceType kType{"coordination.k8s.io", "v1", "leases", "Lease", true};
    static Result<Lease> decode(const nlohmann::json& object) { return decode_lease(object); }
};

// The object for POST.
[[nodiscard]] nlohmann::json encode_object(const Lease& lease);
// A merge patch that writes the whole election record and leaves the rest of the object to others;
// conditional on meta.resource_version.
[[nodiscard]] nlohmann::json lease_patch(const Lease& lease);

}  // namespace steelyard::kube
