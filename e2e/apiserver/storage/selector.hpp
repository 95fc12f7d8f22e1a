#pragma once

#include "common/base/error.hpp"
#include "e2e/apiserver/json/json.hpp"

#include <string>
#include <string_view>
#include <vector>

// Label selectors ("app=web,tier in (a,b),!old") and field selectors ("metadata.name=x,
// spec.nodeName!=y") as the API takes them in its query, and label selectors as objects
// (matchLabels, matchExpressions). Errors: Invalid, naming the selector.
namespace steelyard::apiserver {

enum class Operator { In, NotIn, Exists, DoesNotExist };

struct Requirement {
    std::string key;  // a label, or a dotted path of fields
    Operator op = Operator::In;
    std::vector<std::string> values;
};

struct Selector {
    std::vector<Requirement> labels;
    std::vector<Requirement> fields;

    [[nodiscard]] bool matches(const Json& object) const;
    [[nodiscard]] bool empty() const { return labels.empty() && fields.empty(); }
};

[[nodiscard]] Result<std::vector<Requirement>> parse_label_selector(std::string_view text);
// A LabelSelector object (matchLabels, matchExpressions) against an object's labels.
[[nodiscard]] bool matches_labels(const Json& label_selector, const Json& object);
[[nodiscard]] Result<std::vector<Requirement>> parse_field_selector(std::string_view text);

}  // namespace steelyard::apiserver
