#pragma once

#include "common/base/rng.hpp"
#include "common/kube/model/resource.hpp"

#include <nlohmann/json.hpp>

// Random objects of every kind the daemons watch, as a server of today or of tomorrow may send
// them: with fields and enumeration values we do not know.
namespace steelyard::kube::faults {

// Something every decoder accepts; without metadata.resourceVersion.
[[nodiscard]] nlohmann::json random_object(
    const ResourceType& type, const ObjectKey& key, Rng& rng
);
// Makes an object that no decoder accepts of one.
void spoil(nlohmann::json& object);

}  // namespace steelyard::kube::faults
