#include "e2e/apiserver/admission/validating.hpp"
#include "e2e/apiserver/api/call.hpp"
#include "e2e/apiserver/conversion/conversion.hpp"
#include "e2e/apiserver/schema/schema.hpp"

// Objects between the version they are stored in and the one a request speaks, and what admission
// webhooks have to say about a change.
namespace steelyard::apiserver {

namespace {

const char* options_kind(const std::string& verb) {
    if (verb == "patch") {
        return "PatchOptions";
    }
    if (verb == "create") {
        return "CreateOptions";
    }
    return verb == "update" ? "UpdateOptions" : "DeleteOptions";
}

}  // namespace

Outcome<Json> Api::shown(const Call& call, const Json& object) const {
    return convert_one(*call.kind, call.route.version, object, store_, call.exchange);
}

Outcome<Json> Api::to_storage(const Call& call, const Json& object) const {
    const std::string& version = call.kind->storage_version;
    auto converted = convert_one(*call.kind, version, object, store_, call.exchange);
    if (converted && call.kind->custom && call.route.version != version) {
        // Kubernetes does this whenever it reads the object back.
        apply_defaults(call.kind->version(version)->schema, *converted);
    }
    return converted;
}

Outcome<> Api::ask_admission(
    Call& call, const char* operation, const Json& object, const Json& old_object
) const {
    AdmissionAttributes attributes;
    attributes.operation = operation;
    attributes.kind = call.kind;
    attributes.version = call.route.version;
    attributes.subresource = call.route.subresource;
    attributes.ns = call.route.ns;
    attributes.name = call.route.name;
    attributes.object = object;
    attributes.old_object = old_object;
    attributes.dry_run = call.dry_run();
    attributes.user =
        Json{{"username", call.request.user.name}, {"groups", call.request.user.groups}};
    attributes.options = Json{{"kind", options_kind(call.verb)}, {"apiVersion", "meta.k8s.io/v1"}};
    if (call.verb != "delete" && call.verb != "deletecollection") {
        attributes.options["fieldManager"] = call.field_manager();
    }
    return validate_by_webhooks(attributes, store_, call.exchange, call.warnings);
}

Outcome<ApiReply> Api::reply(const Call& call, unsigned status, const Json& object) const {
    const auto seen = shown(call, object);
    if (!seen) {
        return seen.error();
    }
    return reply_shown(call, status, *seen);
}

ApiReply Api::reply_stored(const Call& call, unsigned status, Json seen, const Json& stored) const {
    if (text_at(stored, "apiVersion") == text_at(seen, "apiVersion")) {
        return reply_shown(call, status, stored);
    }
    seen["metadata"] = object_at(stored, "metadata");
    return reply_shown(call, status, seen);
}

ApiReply Api::reply_shown(const Call& call, unsigned status, const Json& object) const {
    ApiReply out;
    out.status = status;
    const auto format = table_format(call.request);
    if (!format) {
        out.body = dump(object);
        return out;
    }
    const std::string& version = call.route.version;
    Json rows = Json::array({table_row(*call.kind, version, object, *format, call.now)});
    Json metadata{{"resourceVersion", text_at(object, "metadata.resourceVersion")}};
    out.body = dump(
        table(table_columns(*call.kind, version), std::move(rows), std::move(metadata), *format)
    );
    return out;
}

}  // namespace steelyard::apiserver
