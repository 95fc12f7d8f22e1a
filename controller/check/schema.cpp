#include "controller/check/schema.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace steelyard::check {
namespace {

using nlohmann::json;

constexpr std::array kSelector = {
    FieldRule{"matchLabels", "labels"},
    FieldRule{"matchExpressions", "[]object"},
    FieldRule{"matchExpressions[].key", "string"},
    FieldRule{"matchExpressions[].operator", "string"},
    FieldRule{"matchExpressions[].values", "[]string"},
};

// How many letters one has to change to make the one of the other.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
        }
    }
    return row[b.size()];
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return result;
}

std::string unknown_field(const std::string& name, const std::vector<std::string_view>& known) {
    constexpr std::size_t kLongestName = 64;
    constexpr std::size_t kNear = 3;
    const std::string_view* best = nullptr;
    std::size_t least = kNear;
    for (const std::string_view& candidate : known) {
        const std::size_t far =
            name.size() > kLongestName ? kNear : distance(lower(name), lower(candidate));
        if (far < least) {
            least = far;
            best = &candidate;
        }
    }
    if (best != nullptr) {
        return "there is no such field; " + std::string(*best) + "?";
    }
    std::string text = "there is no such field; give ";
    for (std::size_t i = 0; i < known.size(); ++i) {
        text += (i == 0 ? "" : i + 1 == known.size() ? " or " : ", ") + std::string(known[i]);
    }
    return text;
}

// Text that may hold anything the user wrote.
std::string shown(const json& value) {
    return value.is_structured() ? std::string()
                                 : value.dump(-1, ' ', true, json::error_handler_t::replace);
}

std::string_view wanted(std::string_view type) {
    if (type == "string") {
        return "give text (in quotes if it looks like a number or like true)";
    }
    if (type == "boolean") {
        return "give true or false, without quotes";
    }
    if (type == "integer") {
        return "give a whole number, without quotes";
    }
    if (type.starts_with("[]")) {
        return "give a list";
    }
    return "give fields below it";
}

bool fits(const json& value, std::string_view type) {
    if (type == "string") {
        return value.is_string();
    }
    if (type == "boolean") {
        return value.is_boolean();
    }
    if (type == "integer") {
        return value.is_number_integer();
    }
    return type.starts_with("[]") ? value.is_array() : value.is_object();
}

class Fitter {
public:
    explicit Fitter(std::vector<Misfit>& misfits) : misfits_(misfits) {}

    // The members of an object whose fields have `prefix` in `rules`.
    void fit_members(
        json& object,
        const std::string& path,
        std::span<const FieldRule> rules,
        const std::string& prefix
    ) {
        std::vector<std::string> wrong;
        for (const auto& [name, value] : object.items()) {
            const FieldRule* rule = find(rules, prefix + name);
            if (rule == nullptr) {
                note(path + "." + name, value, unknown_field(name, names(rules, prefix)));
                wrong.push_back(name);
            } else if (!fit(value, path + "." + name, rule->type, rules, prefix + name)) {
                wrong.push_back(name);
            }
        }
        for (const std::string& name : wrong) {
            object.erase(name);
        }
    }

private:
    void note(std::string path, const json& value, std::string accepted) {
        const bool secret = path == "spec.password";
        misfits_.push_back({std::move(path), secret ? "" : shown(value), std::move(accepted)});
    }

    static const FieldRule* find(std::span<const FieldRule> rules, const std::string& path) {
        const auto found = std::find_if(rules.begin(), rules.end(), [&](const FieldRule& rule) {
            return rule.path == path;
        });
        return found == rules.end() ? nullptr : &*found;
    }

    // Of the fields right below `prefix`.
    static std::vector<std::string_view> names(
        std::span<const FieldRule> rules, const std::string& prefix
    ) {
        std::vector<std::string_view> result;
        for (const FieldRule& rule : rules) {
            if (rule.path.starts_with(prefix)) {
                const std::string_view name = rule.path.substr(prefix.size());
                if (name.find_first_of(".[") == std::string_view::npos) {
                    result.push_back(name);
                }
            }
        }
        return result;
    }

    // Whether `value` may stay; `at` is its path in the rules. null is as good as absent.
    bool fit(
        json& value,
        const std::string& path,
        std::string_view type,
        std::span<const FieldRule> rules,
        const std::string& at
    ) {
        if (value.is_null()) {
            return true;
        }
        if (!fits(value, type)) {
            note(path, value, std::string(wanted(type)));
            return false;
        }
        if (type.starts_with("[]")) {
            fit_elements(value, path, type.substr(2), rules, at + "[]");
        } else if (type == "object") {
            fit_members(value, path, rules, at + ".");
        } else if (type == "selector") {
            fit_members(value, path, kSelector, "");
        } else if (type == "labels") {
            fit_labels(value, path);
        }
        return true;
    }

    // An element that does not fit leaves an empty one, so that the others keep their places.
    void fit_elements(
        json& list,
        const std::string& path,
        std::string_view type,
        std::span<const FieldRule> rules,
        const std::string& at
    ) {
        for (std::size_t i = 0; i < list.size(); ++i) {
            const std::string place = path + "[" + std::to_string(i) + "]";
            if (list[i].is_null()) {
                note(place, list[i], std::string(wanted(type)));
            } else if (fit(list[i], place, type, rules, at)) {
                continue;
            }
            list[i] = type == "string" ? json("") : json::object();
        }
    }

    void fit_labels(json& labels, const std::string& path) {
        std::vector<std::string> wrong;
        for (const auto& [name, value] : labels.items()) {
            if (!value.is_string()) {
                note(path + "." + name, value, std::string(wanted("string")));
                wrong.push_back(name);
            }
        }
        for (const std::string& name : wrong) {
            labels.erase(name);
        }
    }

    std::vector<Misfit>& misfits_;
};

}  // namespace

std::vector<Misfit> remove_misfits(nlohmann::json& object, const KindRule& rule) {
    std::vector<Misfit> misfits;
    std::vector<std::string> wrong;
    for (const auto& [name, value] : object.items()) {
        const std::vector<std::string_view> known = {
            "apiVersion", "kind", "metadata", "spec", "status"};
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            misfits.push_back({name, shown(value), unknown_field(name, known)});
            wrong.push_back(name);
        }
    }
    for (const std::string& name : wrong) {
        object.erase(name);
    }
    const auto spec = object.find("spec");
    if (spec == object.end() || spec->is_null()) {
        return misfits;
    }
    if (spec->is_object()) {
        Fitter(misfits).fit_members(*spec, "spec", rule.fields, "");
    } else {
        misfits.push_back({"spec", shown(*spec), std::string(wanted("object"))});
        object.erase("spec");
    }
    return misfits;
}

}  // namespace steelyard::check
