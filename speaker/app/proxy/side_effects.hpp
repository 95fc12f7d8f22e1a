#pragma once

#include "common/kube/model/meta.hpp"
#include "speaker/health/service_health.hpp"
#include "speaker/proxy/plan.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

// What a plan of the service proxy says beside kernel tables, kept up to date from its changes:
// health-check node ports, complaints for people, numbers for metrics. Pure.
namespace steelyard::speaker {

// A line about a Service that was not said before.
struct Complaint {
    kube::ObjectKey service;
    std::string line;
    friend bool operator==(const Complaint&, const Complaint&) = default;
};

// Where health-check node ports listen: where NodePorts answer. Nothing: on every address of the
// node. A family that no range of nodePortAddresses restricts is there as its unspecified address.
[[nodiscard]] std::optional<std::vector<net::IpAddress>> listening_addresses(
    const proxy::Context& context
);

class SideEffects {
public:
    // The complaints that are new.
    std::vector<Complaint> follow(const proxy::Changes& changes);

    // Health-check node ports, once after each change to them; nothing while they are the same.
    [[nodiscard]] std::optional<std::vector<health::ServiceHealth>> take_health_ports();
    // Services whose Local policy, in this family, sends nothing from here though there are
    // endpoints elsewhere.
    [[nodiscard]] std::size_t without_local_internal(net::Family family) const;
    [[nodiscard]] std::size_t without_local_external(net::Family family) const;

private:
    using ByFamily = std::map<net::Family, std::set<kube::ObjectKey>>;

    void set_health(const kube::ObjectKey& service, const proxy::ServiceTables& tables);
    void forget(const kube::ObjectKey& service);

    std::map<kube::ObjectKey, health::ServiceHealth> health_;
    bool health_changed_ = true;  // since it was taken
    std::map<kube::ObjectKey, std::set<std::string>> complaints_;
    ByFamily no_internal_;
    ByFamily no_external_;
};

}  // namespace steelyard::speaker
