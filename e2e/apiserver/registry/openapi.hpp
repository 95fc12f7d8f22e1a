#pragma once

#include "e2e/apiserver/registry/kind.hpp"

#include <string>

// OpenAPI documents for clients that check or explain before they send: version 2 as JSON and as
// protobuf (the form kubectl asks for), version 3 a document per group and version. Custom kinds
// are described by their schema; built-in kinds loosely, so that no right manifest is refused.
namespace steelyard::apiserver {

// The document at /openapi/v2, /openapi/v3 or /openapi/v3/apis/G/V; empty when there is none.
[[nodiscard]] std::string openapi_document(
    const Registry& registry, const std::string& path, const std::string& accept
);
[[nodiscard]] std::string openapi_content_type(const std::string& path, const std::string& accept);

[[nodiscard]] Json openapi_v2(const Registry& registry);
[[nodiscard]] Json openapi_v3(
    const Registry& registry, const std::string& group, const std::string& version
);

// A swagger 2.0 document as the protobuf message openapi.v2.Document of the gnostic project.
[[nodiscard]] std::string encode_openapi_v2(const Json& document);

}  // namespace steelyard::apiserver
