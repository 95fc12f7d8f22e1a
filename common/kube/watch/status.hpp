#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

// A failed answer of the API server: the metav1.Status it sent, or what can be made of an answer
// that is not one (a proxy's HTML page).
namespace steelyard::kube {

struct ApiStatus {
    unsigned code = 0;       // HTTP status
    std::string reason;      // "Conflict", "Expired", ...; "" when unknown
    std::string message;     // the server's sentence, one line
    Duration retry_after{};  // 0: not said
    // The asked resourceVersion is newer than what this server has seen (k8s.io/apiserver storage).
    bool version_too_large = false;

    [[nodiscard]] bool expired() const;  // 410 Expired or Gone
};

// `retry_after` is the header as sent; only its form in seconds is understood.
[[nodiscard]] ApiStatus parse_status(
    unsigned http_status, std::string_view retry_after, std::string_view body
);
// The object of a watch event of type ERROR.
[[nodiscard]] ApiStatus status_of(const nlohmann::json& object);

// Conflict, NotFound, Expired, Unauthorized, TooManyRequests, Unavailable, Timeout, Invalid or
// Internal; the text is "<what>: <message> (HTTP <code>)".
[[nodiscard]] Error to_error(const ApiStatus& status, std::string_view what);
// How long the server wants to be left alone, when the Error comes from to_error(); 0: it did not
// say.
[[nodiscard]] Duration retry_after(const Error& error);

}  // namespace steelyard::kube
