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

// What generateName adds to its prefix.
std::string generated_suffix(Rng& rng) {
    static constexpr char kLetters[] = "bcdfghjklmnpqrstvwxz2456789";
    std::string suffix;
    for (int i = 0; i < 5; ++i) {
        suffix.push_back(kLetters[rng.below(sizeof kLetters - 1)]);
    }
    return suffix;
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

// A write of the status: the live object with the new status.
Json with_status(const Kind& kind, const Json& live, const Json& written) {
    Json changed = live;
    // The strategy of services/status guards the spec alone, so load balancer controllers annotate
    // a Service by the same write.
    if (kind.name == "Service" && !kind.custom) {
        const Json& annotations = object_at(written, "metadata.annotations");
        if (annotations.empty()) {
            erase_path(changed, "metadata.annotations");
        } else {
            changed["metadata"]["annotations"] = annotations;
        }
    }
    const Json* status = member(written, "status");
    if (status == nullptr || status->is_null()) {
        changed.erase("status");
    } else {
        changed["status"] = *status;
    }
    if (const Json& managed = array_at(written, "metadata.managedFields"); !managed.empty()) {
        changed["metadata"]["managedFields"] = managed;
    }
    return changed;
}

// A write of everything else: the status stays, and so does what the server alone sets.
Json with_intent(const KindVersion& version, const Json& live, Json written) {
    keep_identity(live, written);
    if (version.has_status) {
        written.erase("status");
        if (const Json* status = member(live, "status")) {
            written["status"] = *status;
        }
    }
    return written;
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
    } else if (!call.status()) {
        auto decoded = decode_builtin(*call.kind, call.route.version, object);
        if (!decoded) {
            return decoded.error();
        }
        errors = admit_builtin(*call.kind, object, live, store_);
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
        metadata["name"] = prefix + call.exchange.keep("name", generated_suffix);
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
    metadata["uid"] = call.exchange.uid("of the object");
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
    // Whatever a webhook has to say comes before the first effect: without its answer the request
    // is worked on again from the start.
    auto form = to_storage(call, object);
    if (!form) {
        return form.error();
    }
    auto seen = shown(call, *form);
    if (!seen) {
        return seen.error();
    }
    auto admitted = ask_admission(call, "CREATE", object, Json());
    if (!admitted) {
        return admitted.error();
    }
    if (call.dry_run()) {
        return reply_shown(call, 201, *seen);
    }
    Object stored = store_.put(resource, std::move(*form));
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
    return reply_stored(call, 201, std::move(*seen), *stored);
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
    const auto before = shown(call, *live);
    if (!before) {
        return before.error();
    }
    record_update(*before, *body, call.apply_request(call.field_manager()), list_rules(call));
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
    const auto before = shown(call, live);
    if (!before) {
        return before.error();
    }
    Json changed = call.status() ? with_status(*call.kind, *before, object)
                                 : with_intent(*call.version, *before, std::move(object));
    auto prepared = prepare(call, changed, &live);
    if (!prepared) {
        return prepared.error();
    }
    changed["metadata"]["resourceVersion"] = text_at(live, "metadata.resourceVersion");
    auto form = to_storage(call, changed);
    if (!form) {
        return form.error();
    }
    if (!call.status() && !same_intent(live, *form)) {
        const std::int64_t generation = integer_at(live, "metadata.generation").value_or(0) + 1;
        changed["metadata"]["generation"] = generation;
        (*form)["metadata"]["generation"] = generation;
    }
    auto seen = shown(call, *form);
    if (!seen) {
        return seen.error();
    }
    auto admitted = ask_admission(call, "UPDATE", changed, *before);
    if (!admitted) {
        return admitted.error();
    }
    const bool applied =
        array_at(live, "metadata.managedFields") != array_at(*form, "metadata.managedFields");
    if (same_but_bookkeeping(live, *form) && !(applied && call.verb == "patch")) {
        return reply_stored(call, 200, *before, live);
    }
    if (call.dry_run()) {
        return reply_shown(call, 200, *seen);
    }
    const bool last_finalizer_gone = find(*form, "metadata.deletionTimestamp") != nullptr &&
                                     array_at(*form, "metadata.finalizers").empty() &&
                                     call.kind->resource() != "namespaces.";
    Object stored = store_.put(call.kind->resource(), std::move(*form));
    if (last_finalizer_gone) {
        erase_now(*call.kind, *stored, false, call.now);
    } else if (call.kind->name == "CustomResourceDefinition" && !call.status()) {
        settle_crd(*stored, call.now);
        stored = store_.get(call.kind->resource(), call.key());
    }
    return reply_stored(call, 200, std::move(*seen), *stored);
}

}  // namespace steelyard::apiserver
