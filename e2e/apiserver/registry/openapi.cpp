#include "e2e/apiserver/registry/openapi.hpp"

#include "e2e/apiserver/registry/discovery.hpp"

#include <algorithm>

namespace steelyard::apiserver {

namespace {

constexpr const char* kProtobuf = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

bool wants_protobuf(const std::string& path, const std::string& accept) {
    return path == "/openapi/v2" && accept.find("proto-openapi") != std::string::npos;
}

Json group_version_kind(const Kind& kind, const std::string& version) {
    return Json{{"group", kind.group}, {"version", version}, {"kind", kind.name}};
}

std::string schema_name(const Kind& kind, const std::string& version) {
    std::string prefix;
    if (kind.custom) {
        for (const std::string& part : split(kind.group, '.')) {
            prefix = prefix.empty() ? part : part + "." + prefix;
        }
    } else {
        const std::string first = split(kind.group, '.').front();
        prefix = "io.k8s.api." + (first.empty() ? std::string("core") : first);
    }
    return prefix + "." + version + "." + kind.name;
}

Json typed(const char* type, const char* description) {
    return Json{{"type", type}, {"description", description}};
}

// The parts of an object every kind has, and of built-in kinds the names of the rest.
Json loose_schema(const Kind& kind, const KindVersion& version) {
    Json schema{{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
    schema["description"] = kind.name + " as Kubernetes defines it; see its API reference.";
    if (version.has_status) {
        schema["properties"]["spec"] = typed("object", "The state that is wanted.");
        schema["properties"]["status"] = typed("object", "The state last observed.");
    }
    return schema;
}

Json full_schema(const Kind& kind, const KindVersion& version) {
    Json schema =
        kind.custom && version.schema.is_object() ? version.schema : loose_schema(kind, version);
    Json& properties = schema["properties"];
    properties["apiVersion"] = typed("string", "The group and version of this object.");
    properties["kind"] = typed("string", "The kind of this object.");
    properties["metadata"] =
        typed("object", "Name, namespace, labels and what else all objects have.");
    schema["x-kubernetes-group-version-kind"] =
        Json::array({group_version_kind(kind, version.name)});
    return schema;
}

// Version 2 knows fewer words; what it lacks is left open.
Json downgraded(const Json& schema) {
    if (true_at(schema, "x-kubernetes-int-or-string")) {
        Json open = Json::object();
        if (schema.contains("description")) {
            open["description"] = schema["description"];
        }
        return open;
    }
    Json out = Json::object();
    for (const auto& [name, value] : schema.items()) {
        const bool kept = name == "type" || name == "description" || name == "format" ||
                          name == "required" || name.starts_with("x-kubernetes-group-version");
        if (kept) {
            out[name] = value;
        } else if (name == "items" || (name == "additionalProperties" && value.is_object())) {
            out[name] = downgraded(value);
        } else if (name == "properties") {
            for (const auto& [field, inner] : value.items()) {
                out["properties"][field] = downgraded(inner);
            }
        }
    }
    if (true_at(schema, "x-kubernetes-preserve-unknown-fields")) {
        out.erase("properties");
        out.erase("required");
    }
    return out;
}

Json operation(const Kind& kind, const std::string& version, const char* action) {
    Json out{
        {"operationId", std::string(action) + kind.name + version},
        {"responses", {{"200", {{"description", "OK"}}}}},
        {"x-kubernetes-action", action},
        {"x-kubernetes-group-version-kind", group_version_kind(kind, version)}};
    return out;
}

// What tells kubectl that the server checks fields itself (fieldValidation) and can try a change
// without making it (dryRun).
Json write_parameters(bool v3) {
    Json out = Json::array();
    for (const char* name : {"dryRun", "fieldManager", "fieldValidation"}) {
        Json parameter{{"name", name}, {"in", "query"}};
        if (v3) {
            parameter["schema"] = Json{{"type", "string"}};
        } else {
            parameter["type"] = "string";
        }
        out.push_back(std::move(parameter));
    }
    return out;
}

void add_paths(Json& paths, const Kind& kind, const std::string& version, bool v3) {
    std::string root =
        kind.group.empty() ? "/api/" + version : "/apis/" + kind.group + "/" + version;
    root += kind.namespaced ? "/namespaces/{namespace}/" : "/";
    Json collection = Json::object();
    collection["get"] = operation(kind, version, "list");
    collection["post"] = operation(kind, version, "post");
    collection["post"]["parameters"] = write_parameters(v3);
    Json item = Json::object();
    item["get"] = operation(kind, version, "get");
    for (const char* method : {"put", "patch"}) {
        item[method] = operation(kind, version, method);
        item[method]["parameters"] = write_parameters(v3);
    }
    paths[root + kind.plural] = std::move(collection);
    paths[root + kind.plural + "/{name}"] = std::move(item);
}

}  // namespace

Json openapi_v2(const Registry& registry) {
    Json document{
        {"swagger", "2.0"},
        {"info", {{"title", "Kubernetes"}, {"version", "v1.32.0"}}},
        {"paths", Json::object()},
        {"definitions", Json::object()}};
    for (const auto& [resource, kind] : registry.kinds()) {
        for (const KindVersion& version : kind.versions) {
            if (!version.served) {
                continue;
            }
            add_paths(document["paths"], kind, version.name, false);
            // A loose definition would stand in the way of kubectl's own knowledge of list keys, so
            // built-in kinds that merge strategically stay without one.
            if (kind.custom) {
                document["definitions"][schema_name(kind, version.name)] =
                    downgraded(full_schema(kind, version));
            }
        }
    }
    return document;
}

Json openapi_v3(const Registry& registry, const std::string& group, const std::string& version) {
    Json document{
        {"openapi", "3.0.0"},
        {"info", {{"title", "Kubernetes"}, {"version", "v1.32.0"}}},
        {"paths", Json::object()},
        {"components", {{"schemas", Json::object()}}}};
    bool any = false;
    for (const auto& [resource, kind] : registry.kinds()) {
        const KindVersion* known = kind.version(version);
        if (kind.group != group || known == nullptr || !known->served) {
            continue;
        }
        any = true;
        add_paths(document["paths"], kind, version, true);
        document["components"]["schemas"][schema_name(kind, version)] = full_schema(kind, *known);
    }
    return any ? document : Json(nullptr);
}

std::string openapi_document(
    const Registry& registry, const std::string& path, const std::string& accept
) {
    if (path == "/openapi/v2") {
        const Json document = openapi_v2(registry);
        return wants_protobuf(path, accept) ? encode_openapi_v2(document) : dump(document);
    }
    if (path == "/openapi/v3") {
        Json paths = Json::object();
        for (const std::string& group : groups(registry)) {
            for (const std::string& version : group_versions(registry, group)) {
                const std::string place =
                    group.empty() ? "api/" + version : "apis/" + group + "/" + version;
                // The hash lets clients keep a document until it changes.
                paths[place]["serverRelativeURL"] =
                    "/openapi/v3/" + place + "?hash=" + std::to_string(registry.generation());
            }
        }
        return dump(Json{{"paths", std::move(paths)}});
    }
    const std::vector<std::string> parts = split(path, '/');
    Json document;
    if (parts.size() == 5 && parts[2] == "v3" && parts[3] == "api") {
        document = openapi_v3(registry, "", parts[4]);
    } else if (parts.size() == 6 && parts[2] == "v3" && parts[3] == "apis") {
        document = openapi_v3(registry, parts[4], parts[5]);
    }
    return document.is_null() ? std::string{} : dump(document);
}

std::string openapi_content_type(const std::string& path, const std::string& accept) {
    // Named with a dot: the @ of the request is not allowed in a media type.
    return wants_protobuf(path, accept) ? kProtobuf : "application/json";
}

}  // namespace steelyard::apiserver
