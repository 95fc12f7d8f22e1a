#include "controller/ipam/reason.hpp"

namespace steelyard::ipam {

std::string_view to_string(Reason reason) {
    switch (reason) {
        case Reason::NoClusterIp:
            return "NoClusterIP";
        case Reason::UnclearClusterIps:
            return "UnclearClusterIPs";
        case Reason::DualStackNotPossible:
            return "DualStackNotPossible";
        case Reason::InvalidRequest:
            return "InvalidRequest";
        case Reason::NoPools:
            return "NoPools";
        case Reason::UnknownPool:
            return "UnknownPool";
        case Reason::PoolNotAllowed:
            return "PoolNotAllowed";
        case Reason::NoMatchingPool:
            return "NoMatchingPool";
        case Reason::AddressNotInPool:
            return "AddressNotInPool";
        case Reason::AddressAvoided:
            return "AddressAvoided";
        case Reason::AddressExcluded:
            return "AddressExcluded";
        case Reason::AddressReserved:
            return "AddressReserved";
        case Reason::AddressesInDifferentPools:
            return "AddressesInDifferentPools";
        case Reason::PoolMismatch:
            return "PoolMismatch";
        case Reason::FamilyMismatch:
            return "FamilyMismatch";
        case Reason::AddressNotRequested:
            return "AddressNotRequested";
        case Reason::AddressInUse:
            return "AddressInUse";
        case Reason::SharingPortConflict:
            return "SharingPortConflict";
        case Reason::SharingBackendMismatch:
            return "SharingBackendMismatch";
        case Reason::QuotaExceeded:
            return "QuotaExceeded";
        case Reason::PoolExhausted:
            return "PoolExhausted";
        case Reason::PoolNotAutomatic:
            return "PoolNotAutomatic";
        case Reason::OtherPoolPreferred:
            return "OtherPoolPreferred";
    }
    return "";
}

}  // namespace steelyard::ipam
