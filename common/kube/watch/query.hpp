#pragma once

#include <map>
#include <string>

// The query part of an API request.
namespace steelyard::kube {

// "label=value&..." with percent-encoding (RFC 3986 2.1), without the '?'.
[[nodiscard]] std::string encode_query(const std::map<std::string, std::string>& query);

}  // namespace steelyard::kube
