#pragma once

#include "common/kube/model/lease.hpp"
#include "common/kube/model/resource.hpp"

#include <gtest/gtest.h>

#include <string>

// Every kind that an Informer of the daemons watches.
namespace steelyard::kube::faults {

using WatchedKinds = testing::Types<
    Service,
    EndpointSlice,
    Node,
    ServiceCidr,
    Pod,
    Namespace,
    Secret,
    IpAddressPool,
    L2Advertisement,
    BgpPeer,
    BgpAdvertisement,
    Community,
    BfdProfile,
    ServiceL2Status,
    ServiceBgpStatus,
    BgpSessionState,
    ConfigurationState,
    AllocationPolicy,
    AddressReservation,
    Lease>;

struct KindName {
    template <class T>
    static std::string GetName(int /*index*/) {
        return std::string(Resource<T>::kType.kind);
    }
};

}  // namespace steelyard::kube::faults
