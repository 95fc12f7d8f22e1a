#include "e2e/apiserver/admission/review.hpp"

namespace steelyard::apiserver {

namespace {

Json group_kind(const AdmissionAttributes& attributes, const std::string& version) {
    return Json{
        {"group", attributes.kind->group}, {"version", version}, {"kind", attributes.kind->name}};
}

Json group_resource(const AdmissionAttributes& attributes, const std::string& version) {
    return Json{
        {"group", attributes.kind->group},
        {"version", version},
        {"resource", attributes.kind->plural}};
}

}  // namespace

Json admission_request(
    const AdmissionAttributes& attributes,
    const std::string& version,
    const Json& object,
    const Json& old_object
) {
    Json request{
        {"kind", group_kind(attributes, version)},
        {"resource", group_resource(attributes, version)},
        {"requestKind", group_kind(attributes, attributes.version)},
        {"requestResource", group_resource(attributes, attributes.version)},
        {"name", attributes.name},
        {"operation", attributes.operation},
        {"userInfo", attributes.user},
        {"object", object},
        {"oldObject", old_object},
        {"dryRun", attributes.dry_run},
        {"options", attributes.options}};
    if (!attributes.ns.empty()) {
        request["namespace"] = attributes.ns;
    }
    if (!attributes.subresource.empty()) {
        request["subResource"] = attributes.subresource;
        request["requestSubResource"] = attributes.subresource;
    }
    return request;
}

std::string review_version(const Json& webhook) {
    for (const Json& entry : array_at(webhook, "admissionReviewVersions")) {
        if (entry == "v1" || entry == "v1beta1") {
            return entry.get<std::string>();
        }
    }
    return {};
}

Failure denied(const std::string& webhook, const Json& status) {
    Failure failure;
    failure.code = static_cast<unsigned>(integer_at(status, "code").value_or(0));
    if (failure.code < 400 || failure.code > 599) {
        failure.code = 400;
    }
    failure.reason = text_at(status, "reason");
    failure.details = object_at(status, "details");
    failure.message = "admission webhook \"" + webhook + "\" denied the request";
    const std::string message = text_at(status, "message");
    if (!message.empty()) {
        failure.message += ": " + message;
    } else if (!failure.reason.empty()) {
        failure.message += ": " + failure.reason;
    } else {
        failure.message += " without explanation";
    }
    return failure;
}

Failure call_failed(const std::string& webhook, const std::string& why) {
    const std::string sentence = "failed calling webhook \"" + webhook + "\": " + why;
    Failure failure;
    failure.code = 500;
    failure.reason = "InternalError";
    failure.message = "Internal error occurred: " + sentence;
    failure.details = Json{{"causes", Json::array({Json{{"message", sentence}}})}};
    return failure;
}

Verdict read_verdict(
    const std::string& body,
    const std::string& webhook,
    const std::string& version,
    const std::string& uid
) {
    Verdict verdict;
    const Json review = parse_json(body);
    const Json* response = review.is_object() ? member(review, "response") : nullptr;
    const std::string wanted = "admission.k8s.io/" + version;
    const std::string kind = text_at(review, "apiVersion") + ", Kind=" + text_at(review, "kind");
    if (response == nullptr || !response->is_object()) {
        verdict.problem = "webhook response was absent";
    } else if (version == "v1" && kind != wanted + ", Kind=AdmissionReview") {
        verdict.problem =
            "expected webhook response of " + wanted + ", Kind=AdmissionReview, got " + kind;
    } else if (version == "v1" && text_at(*response, "uid") != uid) {
        verdict.problem =
            "expected response.uid=\"" + uid + "\", got \"" + text_at(*response, "uid") + "\"";
    }
    if (!verdict.problem.empty()) {
        return verdict;
    }
    for (const Json& warning : array_at(*response, "warnings")) {
        if (warning.is_string()) {
            verdict.warnings.push_back(warning.get<std::string>());
        }
    }
    verdict.allowed = true_at(*response, "allowed");
    if (!verdict.allowed) {
        verdict.denial = denied(webhook, object_at(*response, "status"));
    }
    return verdict;
}

}  // namespace steelyard::apiserver
