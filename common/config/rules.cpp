#include "common/config/rules.hpp"

#include <algorithm>

namespace steelyard::config {
namespace {

using Operator = kube::LabelSelector::Operator;

std::string_view to_string(Operator op) {
    switch (op) {
        case Operator::In:
            return "In";
        case Operator::NotIn:
            return "NotIn";
        case Operator::Exists:
            return "Exists";
        case Operator::DoesNotExist:
            return "DoesNotExist";
    }
    return "";
}

std::string describe(const kube::LabelSelector::Requirement& requirement) {
    std::string text = requirement.key + " " + std::string(to_string(requirement.op));
    if (!requirement.values.empty()) {
        text += " (";
        for (const std::string& value : requirement.values) {
            text += (text.back() == '(' ? "" : ", ") + value;
        }
        text += ")";
    }
    return text;
}

bool takes_values(Operator op) {
    return op == Operator::In || op == Operator::NotIn;
}

// Lists here are a handful long, so the quadratic search stays cheaper than sorting selectors.
template <class T>
bool seen_before(const std::vector<T>& list, std::size_t index) {
    const auto end = list.begin() + static_cast<std::ptrdiff_t>(index);
    return std::find(list.begin(), end, list[index]) != end;
}

}  // namespace

std::string at(const std::string& field, std::size_t index) {
    return field + "[" + std::to_string(index) + "]";
}

std::string describe(const kube::LabelSelector& selector) {
    std::string text;
    for (const auto& [key, value] : selector.match_labels) {
        text += (text.empty() ? "" : ", ") + key + "=" + value;
    }
    for (const auto& requirement : selector.match_expressions) {
        text += (text.empty() ? "" : ", ") + describe(requirement);
    }
    return text;
}

ObjectCheck::ObjectCheck(Kind kind, kube::ObjectKey key, std::vector<Problem>& problems)
    : kind_(kind), key_(std::move(key)), problems_(problems) {}

void ObjectCheck::add(std::string field, std::string value, std::string accepted) {
    problems_.push_back({kind_, key_, std::move(field), std::move(value), std::move(accepted)});
}

void ObjectCheck::unique_names(const std::string& field, const std::vector<std::string>& names) {
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i].empty()) {
            add(at(field, i), names[i], "give a name that is not empty");
        } else if (seen_before(names, i)) {
            add(at(field, i), names[i], "list each name once");
        }
    }
}

void ObjectCheck::selectors(
    const std::string& field, const std::vector<kube::LabelSelector>& list
) {
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (seen_before(list, i)) {
            add(at(field, i), describe(list[i]), "list each selector once");
        }
        selector(at(field, i), list[i]);
    }
}

void ObjectCheck::selector(const std::string& field, const kube::LabelSelector& selector) {
    const auto& list = selector.match_expressions;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string path = at(field + ".matchExpressions", i);
        const auto& requirement = list[i];
        if (requirement.key.empty()) {
            add(path + ".key", "", "give a label key");
        }
        if (seen_before(list, i)) {
            add(path, describe(requirement), "list each expression once");
        }
        if (takes_values(requirement.op) && requirement.values.empty()) {
            add(path + ".values", "", "operators In and NotIn need at least one value");
        }
        if (!takes_values(requirement.op) && !requirement.values.empty()) {
            add(path + ".values",
                describe(requirement),
                "operators Exists and DoesNotExist take no values");
        }
        for (std::size_t j = 0; j < requirement.values.size(); ++j) {
            if (seen_before(requirement.values, j)) {
                add(at(path + ".values", j), requirement.values[j], "list each value once");
            }
        }
    }
}

}  // namespace steelyard::config
