#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Why a Service has no address, or not all it wants: a name for programs (condition reasons, tests)
// and a sentence for people that says what to change.
namespace steelyard::ipam {

enum class Reason : std::uint8_t {
    NoClusterIp,                // the Service has no cluster IP yet, or is headless
    UnclearClusterIps,          // its cluster IPs are not one of a family, or one of each
    DualStackNotPossible,       // RequireDualStack with a single cluster IP
    InvalidRequest,             // requested addresses that do not parse or contradict each other
    NoPools,                    // there is no IPAddressPool at all
    UnknownPool,                // the requested pool does not exist
    PoolNotAllowed,             // the pool's serviceAllocation leaves this Service out
    NoMatchingPool,             // no pool hands out addresses to this Service by itself
    AddressNotInPool,           // no pool holds the requested address
    AddressAvoided,             // .0 or .255 of a pool with avoidBuggyIPs
    AddressExcluded,            // an AllocationPolicy excludes it
    AddressReserved,            // an AddressReservation keeps it for another Service
    AddressesInDifferentPools,  // two addresses must come from one pool
    PoolMismatch,               // the requested address lies in another pool than the requested one
    FamilyMismatch,             // families of the addresses and of the cluster IPs differ
    AddressNotRequested,        // the address held is not (any more) the one asked for
    AddressInUse,               // another Service holds it, and they do not share
    SharingPortConflict,        // same sharing key, but both want the same port
    SharingBackendMismatch,     // same sharing key, but traffic policies cannot go together
    QuotaExceeded,              // its namespace holds all a policy's quota gives it
    PoolExhausted,              // no free address in any pool that could serve
    // Only when explaining: why a pool was not asked.
    PoolNotAutomatic,   // autoAssign is false and nobody asked for the pool
    OtherPoolPreferred  // it could, but another one comes first or was asked for
};

// CamelCase, fit for a condition's reason: "PoolExhausted".
[[nodiscard]] std::string_view to_string(Reason reason);

struct Refusal {
    Reason reason = Reason::PoolExhausted;
    std::string message;  // one sentence: what is wrong and what to do
    friend bool operator==(const Refusal&, const Refusal&) = default;
};

}  // namespace steelyard::ipam
