#pragma once

#include "common/base/error.hpp"
#include "controller/admission/snapshot.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

// One change of one object against the configuration: what it breaks and what is worth saying.
// Private to this room.
namespace steelyard::admission {

struct Change {
    config::Kind kind = config::Kind::IpAddressPool;
    kube::ObjectKey key;
    nlohmann::json before;  // null: a new object
    nlohmann::json after;   // null: it is deleted
};

// Lines for people.
struct Verdict {
    std::vector<std::string> refusals;  // none: the change is fine
    std::vector<std::string> warnings;
};

[[nodiscard]] Verdict judge(const Change& change, const Snapshot& snapshot);

}  // namespace steelyard::admission
