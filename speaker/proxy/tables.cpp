#include "speaker/proxy/tables.hpp"

#include "common/base/check.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

namespace steelyard::proxy {
namespace {

struct Description {
    SetName name;
    SetType type;
    std::string_view suffix;
};

constexpr std::array kSets{
    Description{SetName::LoopBack, SetType::HashIpPortIp, "LOOP-BACK"},
    Description{SetName::ClusterIp, SetType::HashIpPort, "CLUSTER-IP"},
    Description{SetName::ExternalIp, SetType::HashIpPort, "EXTERNAL-IP"},
    Description{SetName::ExternalIpLocal, SetType::HashIpPort, "EXTERNAL-IP-LOCAL"},
    Description{SetName::LoadBalancer, SetType::HashIpPort, "LOAD-BALANCER"},
    Description{SetName::LoadBalancerLocal, SetType::HashIpPort, "LOAD-BALANCER-LOCAL"},
    Description{SetName::LoadBalancerFw, SetType::HashIpPort, "LOAD-BALANCER-FW"},
    Description{
        SetName::LoadBalancerSourceCidr, SetType::HashIpPortNet, "LOAD-BALANCER-SOURCE-CIDR"},
    Description{SetName::LoadBalancerSourceIp, SetType::HashIpPortIp, "LOAD-BALANCER-SOURCE-IP"},
    Description{SetName::NodePortTcp, SetType::BitmapPort, "NODE-PORT-TCP"},
    Description{SetName::NodePortUdp, SetType::BitmapPort, "NODE-PORT-UDP"},
    Description{SetName::NodePortSctp, SetType::HashIpPort, "NODE-PORT-SCTP-HASH"},
    Description{SetName::NodePortLocalTcp, SetType::BitmapPort, "NODE-PORT-LOCAL-TCP"},
    Description{SetName::NodePortLocalUdp, SetType::BitmapPort, "NODE-PORT-LOCAL-UDP"},
    Description{SetName::NodePortLocalSctp, SetType::HashIpPort, "NODE-PORT-LOCAL-SCTP-HASH"},
    Description{SetName::HealthCheckNodePort, SetType::BitmapPort, "HEALTH-CHECK-NODE-PORT"},
    Description{SetName::IpvsIps, SetType::HashIp, "IPVS-IPS"},
    Description{SetName::InternalMark, SetType::HashIpPort, "INTERNAL-MARK"},
    Description{SetName::AffinityMark, SetType::HashIpPort, "AFFINITY-MARK"},
    Description{SetName::NoLocal, SetType::HashIpPort, "NO-LOCAL"},
    Description{SetName::ServiceCidr, SetType::HashNet, "SERVICE-CIDR"},
};

constexpr auto kNames = [] {
    std::array<SetName, kSets.size()> names{};
    std::transform(kSets.begin(), kSets.end(), names.begin(), [](const Description& set) {
        return set.name;
    });
    return names;
}();

const Description& describe(SetName name) {
    const auto* const found = std::find_if(
        kSets.begin(), kSets.end(), [name](const Description& set) { return set.name == name; }
    );
    SY_CHECK(found != kSets.end(), "every set name is described");
    return *found;
}

}  // namespace

VirtualServerKey by_mark(std::uint32_t mark, net::Family family) {
    VirtualServerKey key;
    key.mark = mark;
    if (family == net::Family::V6) {
        key.endpoint.address = net::IpAddress::v6({});
    }
    return key;
}

std::string to_string(const VirtualServerKey& key) {
    if (key.mark != 0) {
        std::array<char, 16> mark{};
        std::snprintf(mark.data(), mark.size(), "0x%x", key.mark);
        return std::string("FWM ") + mark.data() + " " +
               std::string(net::to_string(key.endpoint.address.family()));
    }
    return std::string(net::to_string(key.protocol)) + " " + net::to_string(key.endpoint);
}

SetType set_type(SetName name) {
    return describe(name).type;
}

bool has_marks(SetName name) {
    return name == SetName::InternalMark || name == SetName::AffinityMark;
}

std::string_view to_string(SetType type) {
    switch (type) {
        case SetType::HashIp:
            return "hash:ip";
        case SetType::HashIpPort:
            return "hash:ip,port";
        case SetType::HashIpPortIp:
            return "hash:ip,port,ip";
        case SetType::HashIpPortNet:
            return "hash:ip,port,net";
        case SetType::BitmapPort:
            return "bitmap:port";
        case SetType::HashNet:
            return "hash:net";
    }
    SY_CHECK(false, "unreachable");
}

std::string set_name(SetId id, std::string_view prefix) {
    constexpr std::size_t kMaxName = 31;  // IPSET_MAXNAMELEN - 1
    std::string name(prefix);
    name += id.family == net::Family::V4 ? "-" : "-6-";
    name += describe(id.name).suffix;
    name.resize(std::min(name.size(), kMaxName));
    return name;
}

std::span<const SetName> all_set_names() {
    return kNames;
}

}  // namespace steelyard::proxy
