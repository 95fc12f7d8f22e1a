#pragma once

#include "e2e/apiserver/json/json.hpp"

#include <chrono>
#include <cstdint>
#include <string>

// A webhook as the API server calls it: where to, with what, and what came back. The words for what
// goes wrong are those of kube-apiserver and of Go's HTTP client, which people search for.
namespace steelyard::apiserver {

struct HookCall {
    std::string host;  // to connect to: an address or a name
    std::uint16_t port = 443;
    std::string tls_name;  // the certificate has to carry it
    std::string ca;        // PEM; "": the system's roots
    std::string url;       // as errors name it
    std::string target;    // its path and query
    std::string body;      // JSON
    std::chrono::seconds timeout{10};
    std::string problem;  // why it cannot be called at all, "" when it can
};

struct HookAnswer {
    unsigned status = 0;  // HTTP
    std::string body;
    std::string problem;  // why there is no answer, as Go words it; "" when there is one
};

// Why the answer is of no use, "" when its body is worth reading:
// Post "https://...": dial tcp ...: connect: connection refused.
[[nodiscard]] std::string hook_failure(const std::string& url, const HookAnswer& answer);

}  // namespace steelyard::apiserver
