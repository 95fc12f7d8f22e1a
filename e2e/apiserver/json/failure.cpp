#include "e2e/apiserver/json/failure.hpp"

#include <stdexcept>

namespace steelyard::apiserver {

namespace {

Failure about(unsigned code, std::string reason, const Subject& subject, std::string message) {
    Failure failure;
    failure.code = code;
    failure.reason = std::move(reason);
    failure.message = std::move(message);
    failure.details = Json{{"name", subject.name}, {"kind", subject.resource}};
    if (!subject.group.empty()) {
        failure.details["group"] = subject.group;
    }
    return failure;
}

Failure plain(unsigned code, std::string reason, std::string message) {
    Failure failure;
    failure.code = code;
    failure.reason = std::move(reason);
    failure.message = std::move(message);
    return failure;
}

std::string quoted(const std::string& text) {
    return "\"" + text + "\"";
}

}  // namespace

void throw_exception_from_error(const Failure& failure, const boost::source_location&) {
    throw std::runtime_error(failure.message);
}

std::string Subject::qualified_resource() const {
    return group.empty() ? resource : resource + "." + group;
}

Json to_status(const Failure& failure) {
    Json status{
        {"kind", "Status"},
        {"apiVersion", "v1"},
        {"metadata", Json::object()},
        {"status", "Failure"},
        {"message", failure.message},
        {"code", failure.code}};
    if (!failure.reason.empty()) {
        status["reason"] = failure.reason;
    }
    if (!failure.continuation.empty()) {
        status["metadata"]["continue"] = failure.continuation;
    }
    if (!failure.details.empty()) {
        status["details"] = failure.details;
    }
    if (failure.retry_after > 0) {
        status["details"]["retryAfterSeconds"] = failure.retry_after;
    }
    return status;
}

Failure not_found(const Subject& subject) {
    return about(
        404,
        "NotFound",
        subject,
        subject.qualified_resource() + " " + quoted(subject.name) + " not found"
    );
}

Failure page_not_found() {
    return plain(404, "NotFound", "the server could not find the requested resource");
}

Failure already_exists(const Subject& subject) {
    return about(
        409,
        "AlreadyExists",
        subject,
        subject.qualified_resource() + " " + quoted(subject.name) + " already exists"
    );
}

Failure conflict(const Subject& subject, const std::string& why) {
    return about(
        409,
        "Conflict",
        subject,
        "Operation cannot be fulfilled on " + subject.qualified_resource() + " " +
            quoted(subject.name) + ": " + why
    );
}

Failure object_was_modified(const Subject& subject) {
    return conflict(
        subject,
        "the object has been modified; please apply your changes to the latest version and try "
        "again"
    );
}

Failure invalid(const Subject& subject, const FieldErrors& errors) {
    std::string list;
    Json causes = Json::array();
    for (const FieldError& error : errors) {
        list += (list.empty() ? "" : ", ") + error.path + ": " + error.text;
        causes.push_back(Json{
            {"reason", error.reason}, {"message", error.text}, {"field", error.path}});
    }
    if (errors.size() > 1) {
        list = "[" + list + "]";
    }
    const std::string kind =
        subject.group.empty() ? subject.kind : subject.kind + "." + subject.group;
    Failure failure =
        about(422, "Invalid", subject, kind + " " + quoted(subject.name) + " is invalid: " + list);
    failure.details["kind"] = subject.kind;
    failure.details["causes"] = std::move(causes);
    return failure;
}

Failure bad_request(std::string message) {
    return plain(400, "BadRequest", std::move(message));
}

Failure expired(std::string message) {
    return plain(410, "Expired", std::move(message));
}

Failure method_not_allowed() {
    return plain(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
    );
}

Failure unsupported_media_type(const std::string& type) {
    return plain(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format (" + type +
            ") - accepted media types include: application/json, application/yaml, "
            "application/json-patch+json, application/merge-patch+json, "
            "application/strategic-merge-patch+json, application/apply-patch+yaml"
    );
}

Failure unauthorized() {
    return plain(401, "Unauthorized", "Unauthorized");
}

Failure forbidden(const Subject& subject, const std::string& why) {
    return about(
        403,
        "Forbidden",
        subject,
        subject.qualified_resource() +
            (subject.name.empty() ? std::string{} : " " + quoted(subject.name)) +
            " is forbidden: " + why
    );
}

}  // namespace steelyard::apiserver
