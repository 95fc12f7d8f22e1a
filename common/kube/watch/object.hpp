#pragma once

#include "common/kube/model/meta.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

// What the machinery of watching reads of an object it does not decode. Total on any JSON.
namespace steelyard::kube {

// A member of metadata, "" where it is missing or no string.
[[nodiscard]] std::string metadata_text(const nlohmann::json& object, std::string_view name);
[[nodiscard]] std::string version_of(const nlohmann::json& object);  // resourceVersion
// metadata.namespace and metadata.name.
[[nodiscard]] ObjectKey key_of(const nlohmann::json& object);
// The bookmark that closes a WatchList.
[[nodiscard]] bool ends_initial_events(const nlohmann::json& bookmark);

// Whether `a` is from before `b`, where both are numbers (KEP-5504 lets clients compare those).
[[nodiscard]] bool older_version(std::string_view a, std::string_view b);

}  // namespace steelyard::kube
