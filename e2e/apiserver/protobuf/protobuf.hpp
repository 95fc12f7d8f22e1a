#pragma once

#include "common/base/error.hpp"
#include "e2e/apiserver/json/json.hpp"

#include <string>
#include <string_view>

// Bodies that typed Kubernetes clients send as protocol buffers
// (application/vnd.kubernetes.protobuf, "kubectl create namespace" and its like), as the JSON they
// stand for. Known are the kinds kubectl creates that way, by a table of messages; other kinds and
// fields are refused or passed over. Errors: Invalid, for bytes that are not such a message;
// Unsupported, for a kind not in the table.
namespace steelyard::apiserver {

inline constexpr std::string_view kProtobufBody = "application/vnd.kubernetes.protobuf";

[[nodiscard]] Result<Json> protobuf_to_json(std::string_view bytes);

}  // namespace steelyard::apiserver
