#include "e2e/apiserver/storage/selector.hpp"

#include <algorithm>

namespace steelyard::apiserver {

namespace {

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') {
        text.remove_prefix(1);
    }
    while (!text.empty() && text.back() == ' ') {
        text.remove_suffix(1);
    }
    return text;
}

// Splits at commas outside parentheses.
std::vector<std::string_view> terms_of(std::string_view text) {
    std::vector<std::string_view> terms;
    std::size_t start = 0;
    int depth = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        const char c = i < text.size() ? text[i] : ',';
        depth += c == '(' ? 1 : 0;
        depth -= c == ')' ? 1 : 0;
        if (i == text.size() || (c == ',' && depth == 0)) {
            const std::string_view term = trim(text.substr(start, i - start));
            if (!term.empty()) {
                terms.push_back(term);
            }
            start = i + 1;
        }
    }
    return terms;
}

Error broken(std::string_view term, const char* want) {
    return make_error(Errc::Invalid, "selector \"" + std::string(term) + "\": " + want);
}

Result<Requirement> parse_set(std::string_view term, std::string_view rest, Requirement out) {
    rest = trim(rest);
    if (rest.starts_with("notin")) {
        out.op = Operator::NotIn;
        rest.remove_prefix(5);
    } else if (rest.starts_with("in")) {
        rest.remove_prefix(2);
    } else {
        return broken(term, "want key, !key, key=value, key!=value or key in (a,b)");
    }
    rest = trim(rest);
    if (rest.size() < 2 || rest.front() != '(' || rest.back() != ')') {
        return broken(term, "want values in parentheses");
    }
    for (const std::string& value : split(rest.substr(1, rest.size() - 2), ',')) {
        out.values.emplace_back(trim(value));
    }
    return out;
}

Result<Requirement> parse_term(std::string_view term) {
    Requirement out;
    if (term.front() == '!') {
        out.key = trim(term.substr(1));
        out.op = Operator::DoesNotExist;
        return out;
    }
    const std::size_t end = std::min(term.find_first_of(" =!("), term.size());
    out.key = term.substr(0, end);
    std::string_view rest = trim(term.substr(end));
    if (out.key.empty()) {
        return broken(term, "the key is empty");
    }
    if (rest.empty()) {
        out.op = Operator::Exists;
        return out;
    }
    if (rest.starts_with("!=")) {
        out.op = Operator::NotIn;
        out.values.emplace_back(trim(rest.substr(2)));
        return out;
    }
    if (rest.front() == '=') {
        rest.remove_prefix(rest.starts_with("==") ? 2 : 1);
        out.values.emplace_back(trim(rest));
        return out;
    }
    return parse_set(term, rest, std::move(out));
}

std::string as_text(const Json* value) {
    if (value == nullptr || value->is_null()) {
        return {};
    }
    return value->is_string() ? value->get<std::string>() : dump(*value);
}

bool holds(const Requirement& requirement, bool exists, const std::string& value) {
    const bool among = std::find(requirement.values.begin(), requirement.values.end(), value) !=
                       requirement.values.end();
    switch (requirement.op) {
        case Operator::In:
            return exists && among;
        case Operator::NotIn:
            return !exists || !among;
        case Operator::Exists:
            return exists;
        case Operator::DoesNotExist:
            return !exists;
    }
    return false;
}

}  // namespace

Result<std::vector<Requirement>> parse_label_selector(std::string_view text) {
    std::vector<Requirement> out;
    for (const std::string_view term : terms_of(text)) {
        auto parsed = parse_term(term);
        if (!parsed) {
            return parsed.error();
        }
        out.push_back(std::move(*parsed));
    }
    return out;
}

Result<std::vector<Requirement>> parse_field_selector(std::string_view text) {
    auto parsed = parse_label_selector(text);
    if (!parsed) {
        return parsed;
    }
    for (const Requirement& requirement : *parsed) {
        if (requirement.values.size() != 1) {
            return broken(text, "want field=value or field!=value");
        }
    }
    return parsed;
}

bool matches_labels(const Json& label_selector, const Json& object) {
    Selector selector;
    for (const auto& [key, value] : object_at(label_selector, "matchLabels").items()) {
        selector.labels.push_back({key, Operator::In, {as_text(&value)}});
    }
    for (const Json& expression : array_at(label_selector, "matchExpressions")) {
        Requirement requirement;
        requirement.key = text_at(expression, "key");
        const std::string op = text_at(expression, "operator");
        if (op == "NotIn") {
            requirement.op = Operator::NotIn;
        } else if (op == "Exists") {
            requirement.op = Operator::Exists;
        } else if (op == "DoesNotExist") {
            requirement.op = Operator::DoesNotExist;
        }
        for (const Json& value : array_at(expression, "values")) {
            requirement.values.push_back(as_text(&value));
        }
        selector.labels.push_back(std::move(requirement));
    }
    return selector.matches(object);
}

bool Selector::matches(const Json& object) const {
    const Json& own = object_at(object, "metadata.labels");
    for (const Requirement& requirement : labels) {
        const Json* value = member(own, requirement.key);
        if (!holds(requirement, value != nullptr, as_text(value))) {
            return false;
        }
    }
    for (const Requirement& requirement : fields) {
        // An absent field counts as the empty string, so "spec.nodeName=" finds unscheduled pods.
        if (!holds(requirement, true, as_text(find(object, requirement.key)))) {
            return false;
        }
    }
    return true;
}

}  // namespace steelyard::apiserver
