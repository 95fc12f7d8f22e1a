#include "e2e/apiserver/schema/schema.hpp"

#include <algorithm>
#include <cmath>
#include <regex>
#include <set>

namespace steelyard::apiserver {

namespace {

const Json* property(const Json& schema, const std::string& name) {
    const Json* properties = member(schema, "properties");
    const Json* found = properties == nullptr ? nullptr : member(*properties, name);
    if (found != nullptr) {
        return found;
    }
    const Json* more = member(schema, "additionalProperties");
    return more != nullptr && more->is_object() ? more : nullptr;
}

std::string join(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
}

std::string at(const std::string& path, std::size_t index) {
    return path + "[" + std::to_string(index) + "]";
}

// The object's own head is known to every schema.
bool is_head(const std::string& path, const std::string& name) {
    return path.empty() && (name == "apiVersion" || name == "kind" || name == "metadata");
}

void prune_at(
    const Json& schema, Json& value, const std::string& path, std::vector<std::string>& unknown
) {
    if (value.is_array()) {
        const Json* items = member(schema, "items");
        for (std::size_t i = 0; items != nullptr && i < value.size(); ++i) {
            prune_at(*items, value[i], at(path, i), unknown);
        }
        return;
    }
    if (!value.is_object()) {
        return;
    }
    const bool open = true_at(schema, "x-kubernetes-preserve-unknown-fields") ||
                      true_at(schema, "x-kubernetes-embedded-resource") ||
                      true_at(schema, "additionalProperties");
    std::vector<std::string> drop;
    for (auto& [name, child] : value.items()) {
        if (is_head(path, name)) {
            continue;
        }
        const Json* own = property(schema, name);
        if (own != nullptr) {
            prune_at(*own, child, join(path, name), unknown);
        } else if (!open) {
            drop.push_back(name);
        }
    }
    for (const std::string& name : drop) {
        unknown.push_back(join(path, name));
        value.erase(name);
    }
}

std::string json_type(const Json& value) {
    if (value.is_object()) {
        return "object";
    }
    if (value.is_array()) {
        return "array";
    }
    if (value.is_string()) {
        return "string";
    }
    if (value.is_boolean()) {
        return "boolean";
    }
    if (value.is_number_integer()) {
        return "integer";
    }
    return value.is_number() ? "number" : "null";
}

std::size_t characters(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
    }));
}

std::string number_text(const Json& number) {
    return dump(number);
}

class Validation {
public:
    explicit Validation(FieldErrors& errors) : errors_(errors) {}

    void value(const Json& schema, const Json& node, const std::string& path) {
        if (node.is_null() && true_at(schema, "nullable")) {
            return;
        }
        if (!type_fits(schema, node, path)) {
            return;
        }
        choice(schema, node, path);
        if (node.is_object()) {
            object(schema, node, path);
        } else if (node.is_array()) {
            array(schema, node, path);
        } else if (node.is_string()) {
            string(schema, node.get_ref<const std::string&>(), path);
        } else if (node.is_number()) {
            number(schema, node, path);
        }
        combinations(schema, node, path);
    }

private:
    void invalid(const std::string& path, const std::string& shown, const std::string& why) {
        errors_.push_back(
            {path, "FieldValueInvalid", "Invalid value: " + shown + ": " + path + " in body " + why}
        );
    }

    bool type_fits(const Json& schema, const Json& node, const std::string& path) {
        const std::string actual = json_type(node);
        if (true_at(schema, "x-kubernetes-int-or-string")) {
            if (actual == "integer" || actual == "string") {
                return true;
            }
            invalid(
                path, "\"" + actual + "\"", "must be of type integer,string: \"" + actual + "\""
            );
            return false;
        }
        const std::string wanted = text_at(schema, "type");
        const bool whole =
            node.is_number_float() && std::floor(node.get<double>()) == node.get<double>();
        const bool fits = wanted.empty() || wanted == actual ||
                          (wanted == "number" && node.is_number()) ||
                          (wanted == "integer" && whole);
        if (!fits) {
            invalid(
                path, "\"" + actual + "\"", "must be of type " + wanted + ": \"" + actual + "\""
            );
        }
        return fits;
    }

    void choice(const Json& schema, const Json& node, const std::string& path) {
        const Json* accepted = member(schema, "enum");
        if (accepted == nullptr || !accepted->is_array() ||
            std::find(accepted->begin(), accepted->end(), node) != accepted->end()) {
            return;
        }
        std::string list;
        for (const Json& entry : *accepted) {
            list += (list.empty() ? "" : ", ") + dump(entry);
        }
        errors_.push_back(
            {path,
             "FieldValueNotSupported",
             "Unsupported value: " + dump(node) + ": supported values: " + list}
        );
    }

    void object(const Json& schema, const Json& node, const std::string& path) {
        for (const Json& name : array_at(schema, "required")) {
            if (name.is_string() && !node.contains(name.get_ref<const std::string&>())) {
                errors_.push_back(
                    {join(path, name.get<std::string>()), "FieldValueRequired", "Required value"}
                );
            }
        }
        size_limits(schema, node.size(), path, "Properties", "properties");
        for (const auto& [name, child] : node.items()) {
            const Json* own = property(schema, name);
            if (own != nullptr && !is_head(path, name)) {
                value(*own, child, join(path, name));
            }
        }
    }

    void array(const Json& schema, const Json& node, const std::string& path) {
        size_limits(schema, node.size(), path, "Items", "items");
        const Json* items = member(schema, "items");
        for (std::size_t i = 0; items != nullptr && i < node.size(); ++i) {
            value(*items, node[i], at(path, i));
        }
        duplicates(schema, node, path);
    }

    void duplicates(const Json& schema, const Json& node, const std::string& path) {
        const std::string type = text_at(schema, "x-kubernetes-list-type");
        const bool set = type == "set" || true_at(schema, "uniqueItems");
        if (!set && type != "map") {
            return;
        }
        std::set<std::string> seen;
        for (std::size_t i = 0; i < node.size(); ++i) {
            Json key = node[i];
            if (type == "map") {
                key = Json::object();
                for (const Json& name : array_at(schema, "x-kubernetes-list-map-keys")) {
                    const std::string text = name.is_string() ? name.get<std::string>() : "";
                    const Json* part = member(node[i], text);
                    key[text] = part == nullptr ? Json(nullptr) : *part;
                }
            }
            if (!seen.insert(dump(key)).second) {
                errors_.push_back(
                    {at(path, i), "FieldValueDuplicate", "Duplicate value: " + dump(key)}
                );
            }
        }
    }

    void size_limits(
        const Json& schema,
        std::size_t size,
        const std::string& path,
        const std::string& suffix,
        const std::string& what
    ) {
        const auto most = integer_at(schema, "max" + suffix);
        const auto least = integer_at(schema, "min" + suffix);
        const auto count = static_cast<std::int64_t>(size);
        if (most && count > *most) {
            errors_.push_back(
                {path,
                 "FieldValueTooMany",
                 "Too many: " + std::to_string(count) + ": must have at most " +
                     std::to_string(*most) + " items"}
            );
        }
        if (least && count < *least) {
            invalid(
                path,
                std::to_string(count),
                "should have at least " + std::to_string(*least) + " " + what
            );
        }
    }

    void string(const Json& schema, const std::string& text, const std::string& path) {
        const auto most = integer_at(schema, "maxLength");
        const auto least = integer_at(schema, "minLength");
        const auto length = static_cast<std::int64_t>(characters(text));
        if (most && length > *most) {
            errors_.push_back(
                {path,
                 "FieldValueTooLong",
                 "Too long: may not be more than " + std::to_string(*most) + " bytes"}
            );
        }
        if (least && length < *least) {
            invalid(
                path,
                dump(Json(text)),
                "should be at least " + std::to_string(*least) + " chars long"
            );
        }
        const std::string pattern = text_at(schema, "pattern");
        if (!pattern.empty() && !matches(pattern, text)) {
            invalid(path, dump(Json(text)), "should match '" + pattern + "'");
        }
    }

    // A pattern this library cannot read accepts everything: it was accepted in the CRD.
    static bool matches(const std::string& pattern, const std::string& text) {
        try {
            return std::regex_search(text, std::regex(pattern, std::regex::ECMAScript));
        } catch (const std::regex_error&) {
            return true;
        }
    }

    void number(const Json& schema, const Json& node, const std::string& path) {
        const double own = node.get<double>();
        if (const Json* least = member(schema, "minimum"); least != nullptr && least->is_number()) {
            const bool exclusive = true_at(schema, "exclusiveMinimum");
            const double bound = least->get<double>();
            if (own < bound || (exclusive && own == bound)) {
                invalid(
                    path,
                    number_text(node),
                    (exclusive ? "should be greater than " : "should be greater than or equal to "
                    ) + number_text(*least)
                );
            }
        }
        if (const Json* most = member(schema, "maximum"); most != nullptr && most->is_number()) {
            const bool exclusive = true_at(schema, "exclusiveMaximum");
            const double bound = most->get<double>();
            if (own > bound || (exclusive && own == bound)) {
                invalid(
                    path,
                    number_text(node),
                    (exclusive ? "should be less than " : "should be less than or equal to ") +
                        number_text(*most)
                );
            }
        }
        if (const Json* step = member(schema, "multipleOf"); step != nullptr && step->is_number()) {
            if (std::fmod(own, step->get<double>()) != 0.0) {
                invalid(path, number_text(node), "should be a multiple of " + number_text(*step));
            }
        }
        if (text_at(schema, "format") == "int32" && (own < -2147483648.0 || own > 2147483647.0)) {
            invalid(
                path, number_text(node), "must be of type int32: \"" + number_text(node) + "\""
            );
        }
    }

    bool holds(const Json& schema, const Json& node, const std::string& path) {
        FieldErrors found;
        Validation(found).value(schema, node, path);
        return found.empty();
    }

    void combinations(const Json& schema, const Json& node, const std::string& path) {
        for (const Json& part : array_at(schema, "allOf")) {
            value(part, node, path);
        }
        const Json& any = array_at(schema, "anyOf");
        if (!any.empty() && std::none_of(any.begin(), any.end(), [&](const Json& part) {
                return holds(part, node, path);
            })) {
            invalid(path, dump(node), "must validate at least one schema (anyOf)");
        }
        const Json& one = array_at(schema, "oneOf");
        if (!one.empty() && std::count_if(one.begin(), one.end(), [&](const Json& part) {
                                return holds(part, node, path);
                            }) != 1) {
            invalid(path, dump(node), "must validate one and only one schema (oneOf)");
        }
        const Json* negated = member(schema, "not");
        if (negated != nullptr && holds(*negated, node, path)) {
            invalid(path, dump(node), "must not validate the schema (not)");
        }
    }

    FieldErrors& errors_;
};

}  // namespace

void prune(const Json& schema, Json& object, std::vector<std::string>& unknown) {
    prune_at(schema, object, "", unknown);
    std::sort(unknown.begin(), unknown.end());
}

void apply_defaults(const Json& schema, Json& object) {
    if (object.is_array()) {
        if (const Json* items = member(schema, "items")) {
            for (Json& element : object) {
                apply_defaults(*items, element);
            }
        }
        return;
    }
    if (!object.is_object()) {
        return;
    }
    for (const auto& [name, own] : object_at(schema, "properties").items()) {
        const Json* fallback = member(own, "default");
        const auto place = object.find(name);
        const bool missing =
            place == object.end() || (place->is_null() && !true_at(own, "nullable"));
        if (missing && fallback != nullptr) {
            object[name] = *fallback;
        } else if (missing && place != object.end()) {
            object.erase(name);  // a null that means nothing here is as good as absent
        }
    }
    for (auto& [name, child] : object.items()) {
        if (const Json* own = property(schema, name)) {
            apply_defaults(*own, child);
        }
    }
}

FieldErrors validate(const Json& schema, const Json& object) {
    FieldErrors errors;
    Validation(errors).value(schema, object, "");
    return errors;
}

}  // namespace steelyard::apiserver
