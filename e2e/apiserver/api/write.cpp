#include "e2e/apiserver/api/admit.hpp"
#include "e2e/apiserver/api/call.hpp"
#include "e2e/apiserver/patch/apply.hpp"
#include "e2e/apiserver/registry/timestamp.hpp"
#include "e2e/apiserver/schema/schema.hpp"

namespace steelyard::apiserver {

namespace {

// What the client cannot change: the server's own fields come from the live object.
void keep_identity(const Json& live, Json& object) {
    for (const char* name :
         {"uid",
          "creationTimestamp",
          "generation",
          "deletionTimestamp",
          "deletionGracePeriodSeconds",
          "name",
          "namespace"}) {
        const Json* value = member(object_at(live, "metadata"), name);
        if (value != nullptr) {
            object["metadata"][name] = *value;
        } else {
            object["metadata"].erase(name);
        }
    }
}

// Everything but metadata and status: what a generation counts the changes of.
bool same_intent(Json a, Json b) {
    for (Json* side : {&a, &b}) {
        side->erase("metadata");
        side->erase("status");
    }
    return a == b;
}

bool same_but_bookkeeping(Json a, Json b) {
    for (Json* side : {&a, &b}) {
        erase_path(*side, "metadata.resourceVersion");
        erase_path(*side, "metadata.managedFields");
        erase_path(*side, "metadata.generation");
    }
    return a == b;
}

ApplyRequest apply_request(
    const std::string& manager, const std::string& api_version, WallTime now
) {
    ApplyRequest request;
    request.manager = manager;
    request.api_version = api_version;
    request.time = format_time(now);
    return request;
}

}  // namespace

Outcome<Json> Api::body_of(const Call& call) const {
    Json body = parse_json(call.request.body);
    if (!body.is_object()) {
        return bad_request("the object provided is unrecognized: the body is not a JSON object");
    }
    const std::string version = text_at(body, "apiVersion");
    const std::string wanted = call.kind->api_version(call.route.version);
    if (!version.empty() && version != wanted) {
        return bad_request(
            "the API version in the data (" + version +
            ") does not match the expected API version (" + wanted + ")"
        );
    }
    const std::string kind = text_at(body, "kind");
    if (!kind.empty() && kind != call.kind->name) {
        return bad_request(
            "the kind in the data (" + kind + ") does not match the expected kind (" +
            call.kind->name + ")"
        );
    }
    if (!body.contains("metadata") || !body["metadata"].is_object()) {
        body["metadata"] = Json::object();
    }
    const std::string ns = text_at(body, "metadata.namespace");
    if (call.kind->namespaced && !ns.empty() && ns != call.route.ns) {
        return bad_request(
            "the namespace of the provided object does not match the namespace sent on "
            "the request"
        );
    }
    body["apiVersion"] = wanted;
    body["kind"] = call.kind->name;
    if (call.kind->namespaced) {
        body["metadata"]["namespace"] = call.route.ns;
    } else {
        body["metadata"].erase("namespace");
    }
    return Outcome<Json>(boost::system::in_place_value, std::move(body));
}

ListRules Api::list_rules(const Call& call) const {
    if (!call.kind->custom) {
        return builtin_list_rule;
    }
    const Json* schema = &call.version->schema;
    return [schema](const FieldPath& path) {
        return schema_list_rule(*schema, path);
    };
}

Outcome<> Api::namespace_accepts(const Call& call) const {
    if (!call.kind->namespaced) {
        return {};
    }
    const Object ns = store_.get("namespaces.", object_key("", call.route.ns));
    if (ns == nullptr) {
        return not_found(registry_.find("namespaces.")->subject(call.route.ns));
    }
    if (text_at(*ns, "status.phase") == "Terminating") {
        return forbidden(
            call.subject(),
            "unable to create new content in namespace " + call.route.ns +
                " because it is being terminated"
        );
    }
    return {};
}

// Defaults and checks an object before it is stored.
Outcome<> Api::prepare(Call& call, Json& object, const Json* live) {
    FieldErrors errors;
    if (call.kind->custom) {
        std::vector<std::string> unknown;
        prune(call.version->schema, object, unknown);
        const std::string mode = query_text(call.request.query, "fieldValidation");
        if (!unknown.empty() && mode == "Strict" && !call.status()) {
            std::string list;
            for (const std::string& field : unknown) {
                list += (list.empty() ? "" : ", ") + ("unknown field \"" + field + "\"");
            }
            return bad_request(
                call.kind->name + " in version \"" + call.route.version +
                "\" cannot be handled as a " + call.kind->name + ": strict decoding error: " + list
            );
        }
        if (mode != "Ignore") {
            for (const std::string& field : unknown) {
                call.warnings.push_back("unknown field \"" + field + "\"");
            }
        }
        apply_defaults(call.version->schema, object);
        errors = validate(call.version->schema, object);
        object["apiVersion"] = call.kind->api_version(call.kind->storage_version);
    } else if (!call.status()) {
        auto decoded = decode_builtin(*call.kind, call.route.version, object);
        if (!decoded) {
            return decoded.error();
        }
        errors = admit_builtin(*call.kind, object, live, store_);
        object["apiVersion"] = call.kind->api_version(call.kind->storage_version);
    }
    if (!errors.empty()) {
        Subject subject = call.subject();
        subject.name = text_at(object, "metadata.name");
        return invalid(subject, errors);
    }
    return {};
}

Outcome<ApiReply> Api::create(Call& call) {
    auto body = body_of(call);
    if (!body) {
        return body.error();
    }
    return store_new(call, std::move(*body));
}

Outcome<ApiReply> Api::store_new(Call& call, Json object) {
    Json& metadata = object["metadata"];
    if (text_at(metadata, "name").empty()) {
        const std::string prefix = text_at(metadata, "generateName");
        if (prefix.empty()) {
            return invalid(
                call.subject(),
                {{"metadata.name",
                  "FieldValueRequired",
                  "Required value: name or generateName is required"}}
            );
        }
        static constexpr char kLetters[] = "bcdfghjklmnpqrstvwxz2456789";
        std::string name = prefix;
        for (int i = 0; i < 5; ++i) {
            name.push_back(kLetters[rng_.below(sizeof kLetters - 1)]);
        }
        metadata["name"] = name;
    }
    call.route.name = text_at(metadata, "name");
    auto accepted = namespace_accepts(call);
    if (!accepted) {
        return accepted.error();
    }
    const std::string resource = call.kind->resource();
    if (store_.get(resource, call.key()) != nullptr) {
        return already_exists(call.subject());
    }
    for (const char* name :
         {"resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"}) {
        metadata.erase(name);
    }
    metadata["uid"] = make_uid();
    metadata["creationTimestamp"] = format_time(call.now);
    metadata["generation"] = 1;
    const bool keeps_status = call.kind->name == "Node" && !call.kind->custom;
    if (call.version->has_status && !keeps_status) {
        object.erase("status");
    }
    auto prepared = prepare(call, object, nullptr);
    if (!prepared) {
        return prepared.error();
    }
    if (call.dry_run()) {
        return reply(call, 201, object);
    }
    Object stored = store_.put(resource, std::move(object));
    if (call.kind->name == "CustomResourceDefinition") {
        settle_crd(*stored, call.now);
        stored = store_.get(resource, call.key());
    } else if (resource == "namespaces.") {
        put("serviceaccounts.",
            Json{
                {"apiVersion", "v1"},
                {"kind", "ServiceAccount"},
                {"metadata", {{"name", "default"}, {"namespace", call.route.name}}}},
            call.now);
    }
    return reply(call, 201, *stored);
}

Outcome<ApiReply> Api::update(Call& call) {
    auto body = body_of(call);
    if (!body) {
        return body.error();
    }
    const std::string name = text_at(*body, "metadata.name");
    if (!name.empty() && name != call.route.name) {
        return bad_request(
            "the name of the object (" + name + ") does not match the name on the URL (" +
            call.route.name + ")"
        );
    }
    const Object live = store_.get(call.kind->resource(), call.key());
    if (live == nullptr) {
        return not_found(call.subject());
    }
    return store_changed(call, *live, std::move(*body));
}

Outcome<ApiReply> Api::store_changed(Call& call, const Json& live, Json object) {
    const std::string version = text_at(object, "metadata.resourceVersion");
    if (!version.empty() && version != text_at(live, "metadata.resourceVersion")) {
        return object_was_modified(call.subject());
    }
    const std::string uid = text_at(object, "metadata.uid");
    if (!uid.empty() && uid != text_at(live, "metadata.uid")) {
        return conflict(
            call.subject(),
            "Precondition failed: UID in precondition: " + uid +
                ", UID in object meta: " + text_at(live, "metadata.uid")
        );
    }
    Json changed = std::move(object);
    if (call.status()) {
        Json status = changed.contains("status") ? changed["status"] : Json(nullptr);
        Json managed = array_at(changed, "metadata.managedFields");
        // The strategy of services/status guards the spec alone, so load balancer controllers
        // annotate a Service by the same write.
        const bool keeps_meta = call.kind->name == "Service" && !call.kind->custom;
        const Json annotations = object_at(changed, "metadata.annotations");
        changed = live;
        if (keeps_meta && annotations.empty()) {
            erase_path(changed, "metadata.annotations");
        } else if (keeps_meta) {
            changed["metadata"]["annotations"] = annotations;
        }
        changed["apiVersion"] = call.kind->api_version(call.route.version);
        if (status.is_null()) {
            changed.erase("status");
        } else {
            changed["status"] = std::move(status);
        }
        if (!managed.empty()) {
            changed["metadata"]["managedFields"] = std::move(managed);
        }
    } else {
        keep_identity(live, changed);
        if (call.version->has_status) {
            changed.erase("status");
            if (const Json* status = member(live, "status")) {
                changed["status"] = *status;
            }
        }
    }
    auto prepared = prepare(call, changed, &live);
    if (!prepared) {
        return prepared.error();
    }
    changed["metadata"]["resourceVersion"] = text_at(live, "metadata.resourceVersion");
    if (!call.status() && !same_intent(live, changed)) {
        changed["metadata"]["generation"] = integer_at(live, "metadata.generation").value_or(0) + 1;
    }
    const bool applied =
        array_at(live, "metadata.managedFields") != array_at(changed, "metadata.managedFields");
    if (same_but_bookkeeping(live, changed) && !(applied && call.verb == "patch")) {
        return reply(call, 200, live);
    }
    if (call.dry_run()) {
        return reply(call, 200, changed);
    }
    const bool last_finalizer_gone = find(changed, "metadata.deletionTimestamp") != nullptr &&
                                     array_at(changed, "metadata.finalizers").empty() &&
                                     call.kind->resource() != "namespaces.";
    Object stored = store_.put(call.kind->resource(), std::move(changed));
    if (last_finalizer_gone) {
        erase_now(*call.kind, *stored, false, call.now);
    } else if (call.kind->name == "CustomResourceDefinition" && !call.status()) {
        settle_crd(*stored, call.now);
        stored = store_.get(call.kind->resource(), call.key());
    }
    return reply(call, 200, *stored);
}

Outcome<Json> Api::patched(Call& call, const Json& live) {
    const std::string type =
        call.request.content_type.substr(0, call.request.content_type.find(';'));
    const Json patch = parse_json(call.request.body);
    if (patch.is_discarded()) {
        return bad_request("the patch is not valid JSON");
    }
    const Json shown = in_version(*call.kind, call.route.version, live);
    Result<Json> result = Json();
    if (type == "application/merge-patch+json") {
        result = merge_patch(shown, patch);
    } else if (type == "application/json-patch+json") {
        result = json_patch(shown, patch);
    } else if (type == "application/strategic-merge-patch+json" && !call.kind->custom) {
        result = strategic_merge_patch(shown, patch, list_rules(call));
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
    auto result = patched(call, *live);
    if (!result) {
        return result.error();
    }
    Json object = std::move(*result);
    object["apiVersion"] = call.kind->api_version(call.route.version);
    object["kind"] = call.kind->name;
    if (!object.contains("metadata") || !object["metadata"].is_object()) {
        object["metadata"] = object_at(*live, "metadata");
    }
    ApplyRequest request =
        apply_request(call.field_manager(), call.kind->api_version(call.route.version), call.now);
    request.subresource = call.route.subresource;
    record_update(*live, object, request, list_rules(call));
    return store_changed(call, *live, std::move(object));
}

Outcome<ApiReply> Api::apply(Call& call, const Json& wanted) {
    ApplyRequest request = apply_request(
        query_text(call.request.query, "fieldManager"),
        call.kind->api_version(call.route.version),
        call.now
    );
    if (request.manager.empty()) {
        return bad_request(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is "
            "required for apply patch"
        );
    }
    request.subresource = call.route.subresource;
    request.force = query_true(call.request.query, "force");
    const Object live = store_.get(call.kind->resource(), call.key());
    Json base = live == nullptr ? Json{{"metadata", {{"name", call.route.name}}}}
                                : in_version(*call.kind, call.route.version, *live);
    ApplyOutcome outcome = server_side_apply(base, wanted, request, list_rules(call));
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
