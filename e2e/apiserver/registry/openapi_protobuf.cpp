#include "e2e/apiserver/registry/openapi.hpp"

#include <cstdint>

// Protocol buffers wire format by hand: all it takes is varints and length-delimited fields. Field
// numbers are those of gnostic's openapiv2.proto.
namespace steelyard::apiserver {

namespace {

void put_varint(std::string& out, std::uint64_t value) {
    while (value >= 0x80U) {
        out.push_back(static_cast<char>(value | 0x80U));
        value >>= 7U;
    }
    out.push_back(static_cast<char>(value));
}

void put_bytes(std::string& out, unsigned field, const std::string& bytes) {
    put_varint(out, std::uint64_t{field} << 3U | 2U);
    put_varint(out, bytes.size());
    out += bytes;
}

void put_text(std::string& out, unsigned field, const Json& object, const char* name) {
    const std::string text = text_at(object, name);
    if (!text.empty()) {
        put_bytes(out, field, text);
    }
}

// Extensions travel as YAML, of which JSON is a part.
std::string named_any(const std::string& name, const Json& value) {
    std::string any;
    put_bytes(any, 2, dump(value));
    std::string out;
    put_bytes(out, 1, name);
    put_bytes(out, 2, any);
    return out;
}

std::string schema_message(const Json& schema);

std::string named_schema(const std::string& name, const Json& schema) {
    std::string out;
    put_bytes(out, 1, name);
    put_bytes(out, 2, schema_message(schema));
    return out;
}

std::string named_schemas(const Json& schemas) {
    std::string out;
    for (const auto& [name, schema] : schemas.items()) {
        put_bytes(out, 1, named_schema(name, schema));
    }
    return out;
}

std::string wrapped(unsigned field, const std::string& inner) {
    std::string out;
    put_bytes(out, field, inner);
    return out;
}

std::string schema_message(const Json& schema) {
    std::string out;
    put_text(out, 1, schema, "$ref");
    put_text(out, 2, schema, "format");
    put_text(out, 4, schema, "description");
    for (const Json& name : array_at(schema, "required")) {
        put_bytes(out, 19, name.is_string() ? name.get<std::string>() : std::string{});
    }
    if (const Json* more = member(schema, "additionalProperties"); more && more->is_object()) {
        put_bytes(out, 21, wrapped(1, schema_message(*more)));
    }
    const std::string type = text_at(schema, "type");
    if (!type.empty()) {
        put_bytes(out, 22, wrapped(1, type));
    }
    if (const Json* items = member(schema, "items"); items != nullptr) {
        put_bytes(out, 23, wrapped(1, schema_message(*items)));
    }
    const Json& properties = object_at(schema, "properties");
    if (!properties.empty()) {
        put_bytes(out, 25, named_schemas(properties));
    }
    for (const auto& [name, value] : schema.items()) {
        if (name.starts_with("x-")) {
            put_bytes(out, 31, named_any(name, value));
        }
    }
    return out;
}

// NonBodyParameter > QueryParameterSubSchema, wrapped as ParametersItem > Parameter.
std::string parameter_message(const Json& parameter) {
    std::string query;
    put_text(query, 2, parameter, "in");
    put_text(query, 4, parameter, "name");
    put_text(query, 6, parameter, "type");
    return wrapped(1, wrapped(2, wrapped(3, query)));
}

std::string operation_message(const Json& operation) {
    std::string out;
    put_text(out, 5, operation, "operationId");
    for (const Json& parameter : array_at(operation, "parameters")) {
        put_bytes(out, 8, parameter_message(parameter));
    }
    for (const auto& [name, value] : operation.items()) {
        if (name.starts_with("x-")) {
            put_bytes(out, 13, named_any(name, value));
        }
    }
    return out;
}

std::string path_item_message(const Json& item) {
    static constexpr struct {
        const char* method;
        unsigned field;
    } kMethods[] = {{"get", 2}, {"put", 3}, {"post", 4}, {"delete", 5}, {"patch", 8}};
    std::string out;
    for (const auto& [method, field] : kMethods) {
        if (const Json* operation = member(item, method)) {
            put_bytes(out, field, operation_message(*operation));
        }
    }
    return out;
}

}  // namespace

std::string encode_openapi_v2(const Json& document) {
    std::string info;
    put_text(info, 1, document, "info.title");
    put_text(info, 2, document, "info.version");
    std::string paths;
    for (const auto& [path, item] : object_at(document, "paths").items()) {
        std::string named;
        put_bytes(named, 1, path);
        put_bytes(named, 2, path_item_message(item));
        put_bytes(paths, 2, named);
    }
    std::string out;
    put_text(out, 1, document, "swagger");
    put_bytes(out, 2, info);
    put_bytes(out, 8, paths);
    put_bytes(out, 9, named_schemas(object_at(document, "definitions")));
    return out;
}

}  // namespace steelyard::apiserver
