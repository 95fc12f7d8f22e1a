#pragma once

#include <string>
#include <string_view>

// Half of an object's JSON is metadata.managedFields, which says who wrote what and which nobody
// here reads: parsing it would cost as much as all the rest.
namespace steelyard::kube {

// The JSON text of an object (or of a watch event) with null for the value of every managedFields.
// A view of `text` itself where there is none or where it is not well formed (the parser will
// say), else of `scratch`.
[[nodiscard]] std::string_view without_managed_fields(std::string_view text, std::string& scratch);

}  // namespace steelyard::kube
