#pragma once

#include "common/kube/model/core.hpp"
#include "speaker/proxy/config.hpp"
#include "speaker/proxy/select/select.hpp"
#include "speaker/proxy/tables.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What a Service says about its balancing in annotations, over what the node's operator says in the
// configuration:
//   steelyard.io/ipvs-scheduler: wlc             (or kube-router.io/service.scheduler)
//   steelyard.io/ipvs-scheduler-flags: mh-port   (or kube-router.io/service.schedflags)
//     (sh and mh have their fallback always: else a client is refused while its real server drains)
//   steelyard.io/ipvs-weights: node/n1=3,zone/a=2,pod/web-0=5,10.1.2.3=7,*=1
//     (pods by name are a StatefulSet's: the others' names are random)
//   steelyard.io/drain-seconds: 120
// A wrong value costs one complaint, and the default is used.
namespace steelyard::proxy {

inline constexpr std::string_view kWeightsAnnotation = "steelyard.io/ipvs-weights";

// The weight of an endpoint by what is known of it; the most particular rule counts: address, pod,
// node, zone, and * for the rest, which without a rule is 1.
class Weights {
public:
    // "node/n1=3,*=1"; weights from 0 (takes no new connections) to 65535. An Error names the item.
    static Result<Weights> parse(std::string_view text);
    [[nodiscard]] bool empty() const { return rules_.empty(); }
    [[nodiscard]] std::uint32_t of(
        const net::IpAddress& address,
        const Candidate& candidate,
        const std::map<std::string, std::string, std::less<>>& node_zones
    ) const;

private:
    // By "node/<name>", "zone/<name>", "pod/<name>", an address as it prints, or "*".
    std::map<std::string, std::uint32_t, std::less<>> rules_;
};

struct Tuning {
    Scheduling scheduling;
    std::optional<std::chrono::seconds> drain_grace;
    Weights weights;
    std::vector<std::string> complaints;
};
[[nodiscard]] Tuning tuning_of(const kube::Service& service, const ProxyConfig& config);

// Names of the kernel's schedulers.
[[nodiscard]] bool is_scheduler(std::string_view name);

}  // namespace steelyard::proxy
