#include "e2e/apiserver/api/call.hpp"
#include "e2e/apiserver/api/rbac.hpp"
#include "e2e/apiserver/registry/timestamp.hpp"

#include <algorithm>

// Tokens for ServiceAccounts (TokenRequest) and questions about rights (`kubectl auth can-i`).
namespace steelyard::apiserver {

Outcome<ApiReply> Api::issue_token(Call& call) {
    if (store_.get("serviceaccounts.", call.key()) == nullptr) {
        return not_found(call.subject());
    }
    Json review = parse_json(call.request.body);
    if (!review.is_object()) {
        return bad_request("TokenRequest: the body is not a JSON object");
    }
    const std::int64_t wanted = integer_at(review, "spec.expirationSeconds").value_or(3600);
    // Ten minutes at least, as Kubernetes has it; at most a day.
    const std::int64_t seconds = std::clamp<std::int64_t>(wanted, 600, 86400);
    const WallTime expires = call.now + std::chrono::seconds(seconds);
    review["apiVersion"] = "authentication.k8s.io/v1";
    review["kind"] = "TokenRequest";
    review["metadata"]["name"] = call.route.name;
    review["metadata"]["namespace"] = call.route.ns;
    review["spec"]["expirationSeconds"] = seconds;
    review["status"] = Json{
        {"token", mint_token(call.route.ns, call.route.name, expires)},
        {"expirationTimestamp", format_time(expires)}};
    ApiReply out;
    out.status = 201;
    out.body = dump(review);
    return out;
}

Outcome<ApiReply> Api::review_access(Call& call) {
    const std::string& plural = call.route.plural;
    if (call.verb != "create" ||
        (plural != "selfsubjectaccessreviews" && plural != "subjectaccessreviews")) {
        return page_not_found();
    }
    Json review = parse_json(call.request.body);
    if (!review.is_object()) {
        return bad_request("SubjectAccessReview: the body is not a JSON object");
    }
    User user = call.request.user;
    if (plural == "subjectaccessreviews") {
        user.name = text_at(review, "spec.user");
        user.groups.clear();
        for (const Json& group : array_at(review, "spec.groups")) {
            user.groups.push_back(group.is_string() ? group.get<std::string>() : std::string{});
        }
    }
    const Json& attributes = object_at(review, "spec.resourceAttributes");
    AccessQuestion question;
    question.verb = text_at(attributes, "verb");
    question.group = text_at(attributes, "group");
    question.resource = text_at(attributes, "resource");
    const std::string sub = text_at(attributes, "subresource");
    question.resource += sub.empty() ? std::string{} : "/" + sub;
    question.ns = text_at(attributes, "namespace");
    question.name = text_at(attributes, "name");
    const bool yes = !options_.rbac || allowed(store_, user, question);
    review["status"] = Json{{"allowed", yes}};
    if (!yes) {
        review["status"]["reason"] = denial(user, question);
    }
    ApiReply out;
    out.status = 201;
    out.body = dump(review);
    return out;
}

}  // namespace steelyard::apiserver
