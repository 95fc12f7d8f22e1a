#include "e2e/apiserver/api/call.hpp"
#include "e2e/apiserver/patch/apply.hpp"
#include "e2e/apiserver/registry/timestamp.hpp"

// Changes that do not send the whole object: patches of three kinds and server-side apply.
namespace steelyard::apiserver {

Outcome<Json> Api::patched(Call& call, const Json& live) {
    const std::string type =
        call.request.content_type.substr(0, call.request.content_type.find(';'));
    const Json patch = parse_json(call.request.body);
    if (patch.is_discarded()) {
        return bad_request("the patch is not valid JSON");
    }
    Result<Json> result = Json();
    if (type == "application/merge-patch+json") {
        result = merge_patch(live, patch);
    } else if (type == "application/json-patch+json") {
        result = json_patch(live, patch);
    } else if (type == "application/strategic-merge-patch+json" && !call.kind->custom) {
        result = strategic_merge_patch(live, patch, list_rules(call));
    } else {
        return unsupported_media_type(type);
    }
    if (!result) {
        Failure failure = invalid(call.subject(), {});
        failure.message = "the server rejected our request due to an error in our request: " +
                          result.error().context;
        return failure;
    }
    if (!result->is_object() || !object_at(*result, "metadata").is_object()) {
        return bad_request("the patch does not leave an object");
    }
    return Outcome<Json>(boost::system::in_place_value, std::move(*result));
}

Outcome<ApiReply> Api::patch(Call& call) {
    const Object live = store_.get(call.kind->resource(), call.key());
    const std::string type =
        call.request.content_type.substr(0, call.request.content_type.find(';'));
    if (type == "application/apply-patch+yaml" || type == "application/apply-patch+json") {
        auto wanted = body_of(call);
        return wanted ? apply(call, *wanted) : Outcome<ApiReply>(wanted.error());
    }
    if (live == nullptr) {
        return not_found(call.subject());
    }
    const auto before = shown(call, *live);
    if (!before) {
        return before.error();
    }
    auto result = patched(call, *before);
    if (!result) {
        return result.error();
    }
    Json object = std::move(*result);
    object["apiVersion"] = call.kind->api_version(call.route.version);
    object["kind"] = call.kind->name;
    if (!object.contains("metadata") || !object["metadata"].is_object()) {
        object["metadata"] = object_at(*before, "metadata");
    }
    const ApplyRequest request = call.apply_request(call.field_manager());
    record_update(*before, object, request, list_rules(call));
    return store_changed(call, *live, std::move(object));
}

Outcome<ApiReply> Api::apply(Call& call, const Json& wanted) {
    ApplyRequest request = call.apply_request(query_text(call.request.query, "fieldManager"));
    if (request.manager.empty()) {
        return bad_request(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is "
            "required for apply patch"
        );
    }
    request.force = query_true(call.request.query, "force");
    const Object live = store_.get(call.kind->resource(), call.key());
    Outcome<Json> base(
        boost::system::in_place_value, Json{{"metadata", {{"name", call.route.name}}}}
    );
    if (live != nullptr) {
        base = shown(call, *live);
    }
    if (!base) {
        return base.error();
    }
    ApplyOutcome outcome = server_side_apply(*base, wanted, request, list_rules(call));
    if (!outcome.conflicts.empty()) {
        Failure failure = conflict(call.subject(), "");
        Json causes = Json::array();
        std::string list;
        for (const ApplyConflict& entry : outcome.conflicts) {
            causes.push_back(Json{
                {"reason", "FieldManagerConflict"},
                {"message", "conflict with \"" + entry.manager + "\""},
                {"field", entry.field}});
            list += "\n- " + entry.field;
        }
        failure.message = "Apply failed with " + std::to_string(causes.size()) +
                          (causes.size() == 1 ? " conflict: " : " conflicts: ") +
                          "conflict with \"" + outcome.conflicts.front().manager + "\":" + list;
        failure.details["causes"] = std::move(causes);
        return failure;
    }
    if (live == nullptr) {
        if (call.status()) {
            return not_found(call.subject());
        }
        return store_new(call, std::move(outcome.object));
    }
    outcome.object["metadata"]["resourceVersion"] = text_at(*live, "metadata.resourceVersion");
    return store_changed(call, *live, std::move(outcome.object));
}

}  // namespace steelyard::apiserver
