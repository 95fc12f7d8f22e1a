#pragma once

#include "e2e/apiserver/json/json.hpp"

#include <boost/system/result.hpp>

#include <string>
#include <utility>
#include <vector>

// What goes wrong with an API request, as the Status object Kubernetes clients know
// (meta/v1 Status): an HTTP code, a machine-readable reason, a sentence and its causes.
namespace steelyard::apiserver {

struct Failure {
    unsigned code = 500;
    std::string reason;  // "NotFound", "Conflict", "Invalid"...
    std::string message;
    Json details = Json::object();
    unsigned retry_after = 0;  // seconds, sent as a header too when not zero
    std::string continuation;  // metadata.continue: how to go on with a list that has expired
};

template <class T = void>
using Outcome = boost::system::result<T, Failure>;

[[noreturn]] void throw_exception_from_error(
    const Failure& failure, const boost::source_location& where
);

// What a validation found at one field.
struct FieldError {
    std::string path;    // "spec.addresses[0]"
    std::string reason;  // "FieldValueRequired", "FieldValueInvalid"...
    std::string text;    // "Required value", "Invalid value: ..."
};
using FieldErrors = std::vector<FieldError>;

// The object a failure is about, e.g. services "web".
struct Subject {
    std::string group;
    std::string resource;
    std::string kind;
    std::string name;

    [[nodiscard]] std::string qualified_resource() const;
};

[[nodiscard]] Json to_status(const Failure& failure);
[[nodiscard]] Failure not_found(const Subject& subject);
[[nodiscard]] Failure page_not_found();
[[nodiscard]] Failure already_exists(const Subject& subject);
[[nodiscard]] Failure conflict(const Subject& subject, const std::string& why);
[[nodiscard]] Failure object_was_modified(const Subject& subject);
[[nodiscard]] Failure invalid(const Subject& subject, const FieldErrors& errors);
[[nodiscard]] Failure bad_request(std::string message);
[[nodiscard]] Failure expired(std::string message);
[[nodiscard]] Failure method_not_allowed();
[[nodiscard]] Failure unsupported_media_type(const std::string& type);
[[nodiscard]] Failure unauthorized();
[[nodiscard]] Failure forbidden(const Subject& subject, const std::string& why);

}  // namespace steelyard::apiserver
