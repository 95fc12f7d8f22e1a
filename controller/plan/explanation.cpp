#include "controller/plan/explanation.hpp"

#include "controller/plan/planner.hpp"

namespace steelyard::controller_plan {
namespace {

std::string join(std::span<const net::IpAddress> addresses) {
    std::string text;
    for (const net::IpAddress& address : addresses) {
        text += (text.empty() ? "" : " and ") + to_string(address);
    }
    return text;
}

std::string wish_of(const ipam::Request& request) {
    std::string text;
    if (!request.addresses.empty()) {
        text = join(request.addresses);
    } else {
        for (const net::Family family : request.families) {
            text += (text.empty() ? "any " : " and ") + std::string(net::to_string(family));
        }
        text += request.families.size() == 1 ? " address" : " addresses";
        if (request.families.size() == 2 &&
            request.policy == kube::IpFamilyPolicy::PreferDualStack) {
            text += ", or one of them";
        }
    }
    if (!request.pool.empty()) {
        text += " of pool \"" + request.pool + "\"";
    }
    if (!request.sharing.key.empty()) {
        text += ", shared under key \"" + request.sharing.key + "\"";
    }
    return text;
}

PoolExplanation explained(const ipam::PoolAnswer& answer, const ipam::Assignment& held) {
    PoolExplanation made;
    made.pool = answer.pool;
    if (!held.addresses.empty() && held.pool == answer.pool) {
        made.taken = true;
        made.addresses = held.addresses;
        made.message = "gave " + join(held.addresses);
    } else if (answer.refusal) {
        made.reason = to_string(answer.refusal->reason);
        made.message = answer.refusal->message;
    } else {
        made.addresses = answer.addresses;
        made.message = "would give " + join(answer.addresses);
        if (!held.addresses.empty()) {
            made.reason = to_string(ipam::Reason::OtherPoolPreferred);
            made.message += ", but the Service keeps what it has";
        }
    }
    return made;
}

}  // namespace

Explanation Planner::explain(const kube::ObjectKey& key) const {
    Explanation made;
    made.service = key;
    const auto found = services_.find(key);
    if (found == services_.end()) {
        made.asks = "there is no such Service";
        return made;
    }
    const kube::Service& service = *found->second.service;
    made.known = true;
    made.condition = last_of(found->second).condition;
    if (const Claim whose = claim(service); whose != Claim::Ours) {
        made.asks = whose == Claim::NotLoadBalancer
                        ? "nothing: its type is not LoadBalancer"
                        : "nothing of us: its loadBalancerClass \"" + service.load_balancer_class +
                              "\" is served by others";
        return made;
    }
    if (!config_) {
        made.asks = "not looked at yet: there is no configuration";
        return made;
    }
    if (awaits_namespace(service)) {
        made.asks = "not looked at yet: its Namespace, whose labels matter, is not known";
        return made;
    }
    const auto held = allocator_.find(key).value_or(ipam::Assignment{});
    made.addresses = held.addresses;
    const auto request = ipam::parse_request(service, labels_of(key.ns));
    if (!request) {
        made.asks = "nothing that can be given: " + request.error().message;
        return made;
    }
    made.asks = wish_of(*request);
    for (const ipam::PoolAnswer& answer : allocator_.ask_every_pool(*request)) {
        made.pools.push_back(explained(answer, held));
    }
    return made;
}

std::vector<std::string> to_lines(const Explanation& explanation) {
    std::vector<std::string> lines{
        "Service " + to_string(explanation.service) + " asks for: " + explanation.asks};
    if (!explanation.known) {
        return {"Service " + to_string(explanation.service) + ": " + explanation.asks};
    }
    if (!explanation.addresses.empty()) {
        lines.push_back("holds " + join(explanation.addresses));
    }
    if (explanation.condition && explanation.condition->reason != "Assigned") {
        lines.push_back(explanation.condition->reason + ": " + explanation.condition->message);
    }
    for (const PoolExplanation& pool : explanation.pools) {
        std::string line = "pool " + pool.pool + ": ";
        line += pool.reason.empty() ? "" : pool.reason + ": ";
        lines.push_back(line + pool.message);
    }
    return lines;
}

}  // namespace steelyard::controller_plan
