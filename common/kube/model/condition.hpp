#pragma once

#include "common/base/time.hpp"

#include <cstdint>
#include <string>

// metav1.Condition: one thing that holds or does not, since when and why. Written with
// encode_condition (encode.hpp).
namespace steelyard::kube {

struct Condition {
    std::string type;
    bool status = false;
    std::string reason;
    std::string message;
    std::int64_t observed_generation = 0;
    WallTime last_transition{};  // written with whole seconds
    friend bool operator==(const Condition&, const Condition&) = default;
};

}  // namespace steelyard::kube
