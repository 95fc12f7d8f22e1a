#pragma once

#include "speaker/proxy/plan.hpp"

#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace steelyard::proxy {

// What a change of tables touched: the only keys a diff has to look at.
struct Touched {
    std::set<VirtualServerKey> virtual_servers;
    std::set<net::IpAddress> addresses;
    std::set<SetElement> entries;
    [[nodiscard]] bool empty() const;
};

// All Services' tables merged into one kernel state. Services may share an address or an ipset
// member (counted); if two claim one virtual server, the first by namespace/name has it, and the
// other takes over when it goes. Updating costs what changed, not what exists.
class Desired {
public:
    // Moves to `tables`, comparing Services by pointer; returns what changed.
    Touched update(std::shared_ptr<const Tables> tables);
    [[nodiscard]] const KernelTables& tables() const { return merged_; }

private:
    using ServerClaims = std::map<kube::ObjectKey, const VirtualServer*>;

    void add(const kube::ObjectKey& service, const ServiceTables& tables, Touched& touched);
    void remove(const kube::ObjectKey& service, const ServiceTables& tables, Touched& touched);
    void settle(const Touched& touched);

    std::shared_ptr<const Tables> applied_ = std::make_shared<const Tables>();
    // The pointers view Services of applied_.
    std::map<VirtualServerKey, ServerClaims> servers_;
    std::map<net::IpAddress, std::size_t> addresses_;
    std::map<SetElement, std::map<std::uint32_t, std::size_t>> entries_;  // by mark
    KernelTables merged_;
};

}  // namespace steelyard::proxy
