#include "common/kube/model/meta.hpp"

#include <algorithm>

namespace steelyard::kube {
namespace {

bool satisfied(const LabelSelector::Requirement& requirement, const Labels& labels) {
    using Operator = LabelSelector::Operator;
    const auto found = labels.find(requirement.key);
    const bool exists = found != labels.end();
    const auto& values = requirement.values;
    const bool listed =
        exists && std::find(values.begin(), values.end(), found->second) != values.end();
    switch (requirement.op) {
        case Operator::In:
            return listed;
        case Operator::NotIn:
            return !listed;  // true for objects without the label
        case Operator::Exists:
            return exists;
        case Operator::DoesNotExist:
            return !exists;
    }
    return false;
}

}  // namespace

std::string to_string(const ObjectKey& key) {
    return key.ns.empty() ? key.name : key.ns + "/" + key.name;
}

bool matches(const LabelSelector& selector, const Labels& labels) {
    const bool labels_match = std::all_of(
        selector.match_labels.begin(),
        selector.match_labels.end(),
        [&](const auto& wanted) {
            const auto found = labels.find(wanted.first);
            return found != labels.end() && found->second == wanted.second;
        }
    );
    return labels_match && std::all_of(
                               selector.match_expressions.begin(),
                               selector.match_expressions.end(),
                               [&](const auto& wanted) { return satisfied(wanted, labels); }
                           );
}

bool matches_any(const std::vector<LabelSelector>& selectors, const Labels& labels) {
    return selectors.empty() ||
           std::any_of(selectors.begin(), selectors.end(), [&](const LabelSelector& selector) {
               return matches(selector, labels);
           });
}

}  // namespace steelyard::kube
