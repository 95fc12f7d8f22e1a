#include "e2e/apiserver/json/json.hpp"

namespace steelyard::apiserver {

Json parse_json(std::string_view text) {
    return Json::parse(text, nullptr, false);
}

std::string dump(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json* member(const Json& value, std::string_view name) {
    if (!value.is_object()) {
        return nullptr;
    }
    const auto found = value.find(std::string(name));
    return found == value.end() ? nullptr : &*found;
}

const Json* find(const Json& value, std::string_view path) {
    const Json* place = &value;
    while (place != nullptr && !path.empty()) {
        const std::size_t dot = path.find('.');
        place = member(*place, path.substr(0, dot));
        path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
    }
    return place;
}

Json* find(Json& value, std::string_view path) {
    const Json& constant = value;
    return const_cast<Json*>(find(constant, path));
}

std::string text_at(const Json& value, std::string_view path) {
    const Json* found = find(value, path);
    return found != nullptr && found->is_string() ? found->get<std::string>() : std::string{};
}

std::optional<std::int64_t> integer_at(const Json& value, std::string_view path) {
    const Json* found = find(value, path);
    if (found == nullptr || !found->is_number_integer()) {
        return std::nullopt;
    }
    return found->get<std::int64_t>();
}

bool true_at(const Json& value, std::string_view path) {
    const Json* found = find(value, path);
    return found != nullptr && found->is_boolean() && found->get<bool>();
}

const Json& array_at(const Json& value, std::string_view path) {
    static const Json kEmpty = Json::array();
    const Json* found = find(value, path);
    return found != nullptr && found->is_array() ? *found : kEmpty;
}

const Json& object_at(const Json& value, std::string_view path) {
    static const Json kEmpty = Json::object();
    const Json* found = find(value, path);
    return found != nullptr && found->is_object() ? *found : kEmpty;
}

void erase_path(Json& value, std::string_view path) {
    const std::size_t dot = path.rfind('.');
    Json* parent = dot == std::string_view::npos ? &value : find(value, path.substr(0, dot));
    if (parent != nullptr && parent->is_object()) {
        parent->erase(std::string(dot == std::string_view::npos ? path : path.substr(dot + 1)));
    }
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (true) {
        const std::size_t end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

}  // namespace steelyard::apiserver
