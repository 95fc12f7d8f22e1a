#include "controller/admission/body.hpp"

#include "controller/admission/json_access.hpp"

#include <algorithm>

namespace steelyard::admission {
namespace {

// The deepest nesting of brackets outside of strings. Text that is no JSON gives some number.
std::size_t depth_of(std::string_view text) {
    std::size_t depth = 0;
    std::size_t deepest = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') {
                ++i;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            deepest = std::max(deepest, ++depth);
        } else if ((c == '}' || c == ']') && depth > 0) {
            --depth;
        }
    }
    return deepest;
}

}  // namespace

const nlohmann::json& member(const nlohmann::json& object, std::string_view name) {
    static const nlohmann::json kNull;
    if (!object.is_object()) {
        return kNull;
    }
    const auto found = object.find(name);
    return found == object.end() ? kNull : *found;
}

std::string text_of(const nlohmann::json& object, std::string_view name) {
    const nlohmann::json& value = member(object, name);
    return value.is_string() ? value.get<std::string>() : std::string();
}

Result<nlohmann::json> read_body(std::string_view text) {
    if (depth_of(text) > kMaxDepth) {
        return make_error(
            Errc::Invalid, "nested deeper than " + std::to_string(kMaxDepth) + " levels"
        );
    }
    nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
    if (!value.is_object()) {
        return make_error(
            Errc::Invalid, "no JSON object in " + std::to_string(text.size()) + " bytes"
        );
    }
    return value;
}

}  // namespace steelyard::admission
