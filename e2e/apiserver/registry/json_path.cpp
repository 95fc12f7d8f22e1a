#include "e2e/apiserver/registry/json_path.hpp"

#include <charconv>

namespace steelyard::apiserver {

namespace {

using Values = std::vector<const Json*>;

Values step_member(const Values& from, const std::string& name) {
    Values out;
    for (const Json* value : from) {
        if (name == "*" && value->is_structured()) {
            for (const Json& entry : *value) {
                out.push_back(&entry);
            }
        } else if (const Json* found = member(*value, name)) {
            out.push_back(found);
        }
    }
    return out;
}

// "@.type=='Ready'" or "@.type==\"Ready\"".
bool filter_holds(const Json& value, std::string_view filter) {
    const std::size_t equals = filter.find("==");
    if (!filter.starts_with("@.") || equals == std::string_view::npos) {
        return false;
    }
    std::string_view key = filter.substr(2, equals - 2);
    std::string_view want = filter.substr(equals + 2);
    const auto trim = [](std::string_view text, std::string_view drop) {
        while (!text.empty() && drop.find(text.front()) != std::string_view::npos) {
            text.remove_prefix(1);
        }
        while (!text.empty() && drop.find(text.back()) != std::string_view::npos) {
            text.remove_suffix(1);
        }
        return text;
    };
    key = trim(key, " ");
    want = trim(want, " '\"");
    const Json* found = find(value, key);
    if (found == nullptr) {
        return false;
    }
    return found->is_string() ? found->get_ref<const std::string&>() == want : dump(*found) == want;
}

Values step_index(const Values& from, std::string_view inside) {
    Values out;
    for (const Json* value : from) {
        if (!value->is_array()) {
            continue;
        }
        int index = 0;
        if (inside.starts_with("?(") && inside.ends_with(")")) {
            for (const Json& entry : *value) {
                if (filter_holds(entry, inside.substr(2, inside.size() - 3))) {
                    out.push_back(&entry);
                }
            }
        } else if (inside == "*") {
            for (const Json& entry : *value) {
                out.push_back(&entry);
            }
        } else if (std::from_chars(inside.data(), inside.data() + inside.size(), index).ec == std::errc{}) {
            const int size = static_cast<int>(value->size());
            const int place = index < 0 ? size + index : index;
            if (place >= 0 && place < size) {
                out.push_back(&(*value)[static_cast<std::size_t>(place)]);
            }
        }
    }
    return out;
}

}  // namespace

std::vector<const Json*> json_path(const Json& value, std::string_view path) {
    Values at{&value};
    if (path.starts_with("{") && path.ends_with("}")) {
        path = path.substr(1, path.size() - 2);
    }
    std::size_t i = 0;
    while (i < path.size() && !at.empty()) {
        if (path[i] == '[') {
            const std::size_t close = path.find(']', i);
            if (close == std::string_view::npos) {
                return {};
            }
            std::string_view inside = path.substr(i + 1, close - i - 1);
            if (inside.size() > 1 && (inside.front() == '\'' || inside.front() == '"')) {
                at = step_member(at, std::string(inside.substr(1, inside.size() - 2)));
            } else {
                at = step_index(at, inside);
            }
            i = close + 1;
            continue;
        }
        i += path[i] == '.' ? 1U : 0U;
        std::string name;
        while (i < path.size() && path[i] != '.' && path[i] != '[') {
            if (path[i] == '\\' && i + 1 < path.size()) {
                ++i;
            }
            name.push_back(path[i++]);
        }
        if (!name.empty()) {
            at = step_member(at, name);
        }
    }
    return at;
}

}  // namespace steelyard::apiserver
