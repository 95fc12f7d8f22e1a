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

    [[nodiscard]] std::vector<health::ServiceHealth> health_ports() const;
    [[nodiscard]] std::size_t services() const { return services_.size(); }
    // Services whose Local policy sends nothing from here though there are endpoints elsewhere.
    [[nodiscard]] std::size_t without_local_internal() const { return no_internal_.size(); }
    [[nodiscard]] std::size_t without_local_external() const { return no_external_.size(); }

private:
    void forget(const kube::ObjectKey& service);

    std::set<kube::ObjectKey> services_;
    std::map<kube::ObjectKey, health::ServiceHealth> health_;
    std::map<kube::ObjectKey, std::set<std::string>> complaints_;
    std::set<kube::ObjectKey> no_internal_;
    std::set<kube::ObjectKey> no_external_;
};

}  // namespace steelyard::speaker
