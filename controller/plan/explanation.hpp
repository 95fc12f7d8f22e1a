#pragma once

#include "common/kube/model/core.hpp"

#include <optional>
#include <string>
#include <vector>

// Why a Service has the addresses it has, or none: what it asks for and every pool's answer, in the
// order in which the pools are asked. For people (lines) and programs (the fields).
namespace steelyard::controller_plan {

struct PoolExplanation {
    std::string pool;
    bool taken = false;                     // the Service's addresses come from it
    std::vector<net::IpAddress> addresses;  // it holds them, or the pool would give them now
    std::string reason;                     // CamelCase; "" when taken or it would give
    std::string message;                    // one sentence
    friend bool operator==(const PoolExplanation&, const PoolExplanation&) = default;
};

struct Explanation {
    kube::ObjectKey service;
    bool known = false;                     // there is such a Service
    std::string asks;                       // "any IPv4 address of pool \"x\""; or why none
    std::vector<net::IpAddress> addresses;  // held now
    std::optional<kube::ServiceCondition> condition;  // as decided last
    std::vector<PoolExplanation> pools;
    friend bool operator==(const Explanation&, const Explanation&) = default;
};

[[nodiscard]] std::vector<std::string> to_lines(const Explanation& explanation);

}  // namespace steelyard::controller_plan
