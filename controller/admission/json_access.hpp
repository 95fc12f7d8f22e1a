#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

// Reading JSON of any shape without exceptions: what is missing or of another type reads as null or
// "". Private to this room.
namespace steelyard::admission {

[[nodiscard]] const nlohmann::json& member(const nlohmann::json& object, std::string_view name);
[[nodiscard]] std::string text_of(const nlohmann::json& object, std::string_view name);

}  // namespace steelyard::admission
