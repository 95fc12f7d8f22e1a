#include "common/config/parse.hpp"

#include <algorithm>

// Whether node selectors meet, as far as they tell by themselves.
namespace steelyard::config {
namespace {

using Requirement = kube::LabelSelector::Requirement;
using Operator = kube::LabelSelector::Operator;

// matchLabels are requirements too.
std::vector<Requirement> requirements(const kube::LabelSelector& selector) {
    std::vector<Requirement> result = selector.match_expressions;
    for (const auto& [key, value] : selector.match_labels) {
        result.push_back({key, Operator::In, {value}});
    }
    return result;
}

bool lists(const Requirement& requirement, const std::string& value) {
    const auto& values = requirement.values;
    return std::find(values.begin(), values.end(), value) != values.end();
}

bool all_listed(const Requirement& part, const Requirement& whole) {
    return std::all_of(part.values.begin(), part.values.end(), [&](const std::string& value) {
        return lists(whole, value);
    });
}

bool some_listed(const Requirement& a, const Requirement& b) {
    return std::any_of(a.values.begin(), a.values.end(), [&](const std::string& value) {
        return lists(b, value);
    });
}

// Every node that satisfies `a` satisfies `b`.
bool implies(const Requirement& a, const Requirement& b) {
    if (a.key != b.key) {
        return false;
    }
    switch (b.op) {
        case Operator::In:
            return a.op == Operator::In && all_listed(a, b);
        case Operator::NotIn:
            return (a.op == Operator::NotIn && all_listed(b, a)) ||
                   (a.op == Operator::In && !some_listed(a, b)) || a.op == Operator::DoesNotExist;
        case Operator::Exists:
            return a.op == Operator::In || a.op == Operator::Exists;
        case Operator::DoesNotExist:
            return a.op == Operator::DoesNotExist;
    }
    return false;
}

bool implies(const std::vector<Requirement>& a, const std::vector<Requirement>& b) {
    return std::all_of(b.begin(), b.end(), [&](const Requirement& wanted) {
        return std::any_of(a.begin(), a.end(), [&](const Requirement& given) {
            return implies(given, wanted);
        });
    });
}

bool meet(const kube::LabelSelector& one, const kube::LabelSelector& other) {
    const std::vector<Requirement> a = requirements(one);
    const std::vector<Requirement> b = requirements(other);
    const bool one_each = a.size() == 1 && b.size() == 1 && a[0].key == b[0].key &&
                          a[0].op == Operator::In && b[0].op == Operator::In;
    return implies(a, b) || implies(b, a) || (one_each && some_listed(a[0], b[0]));
}

}  // namespace

bool share_a_node(
    const std::optional<Scope>& scope,
    const std::vector<kube::LabelSelector>& a,
    const std::vector<kube::LabelSelector>& b
) {
    return scope || a.empty() || b.empty() ||
           std::any_of(a.begin(), a.end(), [&](const kube::LabelSelector& selector) {
               return std::any_of(b.begin(), b.end(), [&](const kube::LabelSelector& other) {
                   return meet(selector, other);
               });
           });
}

}  // namespace steelyard::config
