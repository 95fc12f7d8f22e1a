#include "common/config/rules.hpp"

#include "common/base/duration.hpp"

#include <algorithm>
#include <set>

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

void ObjectCheck::interface_name(const std::string& field, const std::string& name) {
    constexpr std::size_t kMaxInterfaceName = 15;  // IFNAMSIZ less the terminating zero
    if (name.size() > kMaxInterfaceName || name == "." || name == ".." ||
        name.find_first_of("/: \t\r\n") != std::string::npos) {
        add(field, name, "give an exact interface name of at most 15 characters, such as eth0");
    }
}

std::int64_t ObjectCheck::number(
    const std::string& field,
    std::int64_t value,
    std::int64_t min,
    std::int64_t max,
    std::int64_t when_wrong
) {
    if (value >= min && value <= max) {
        return value;
    }
    add(field, std::to_string(value), "give " + std::to_string(min) + " to " + std::to_string(max));
    return when_wrong;
}

std::optional<net::IpAddress> ObjectCheck::address(
    const std::string& field, const std::string& text, std::optional<net::Family> family
) {
    if (text.empty()) {
        return std::nullopt;
    }
    const auto address = net::IpAddress::parse(text);
    const bool usable = address && !address->is_unspecified() && !address->is_multicast() &&
                        (!family || address->family() == *family);
    if (usable) {
        return *address;
    }
    const std::string kind = family ? std::string(net::to_string(*family)) : "IPv4 or IPv6";
    add(field, text, "give the " + kind + " address of one machine");
    return std::nullopt;
}

std::optional<std::chrono::seconds> ObjectCheck::seconds(
    const std::string& field, const std::string& text, std::string_view accepted
) {
    if (text.empty()) {
        return std::nullopt;
    }
    const auto duration = parse_duration(text);
    if (!duration) {
        add(field, text, std::string(accepted));
        return std::nullopt;
    }
    return std::chrono::duration_cast<std::chrono::seconds>(*duration);
}

unsigned shortest_block(const net::Range& range) {
    const net::IpAddress& first = range.first();
    const unsigned bits = first.bits();
    for (unsigned length = 0; length < bits; ++length) {
        net::Prefix block(first, length);
        if (block.first() < first) {  // begins before the range: try the next one
            block = net::Prefix(block.last().plus(1), length);
        }
        if (first <= block.first() && block.last() <= range.last()) {
            return length;
        }
    }
    return bits;
}

std::vector<std::string> select_pools(
    const std::vector<std::string>& names,
    const std::vector<kube::LabelSelector>& selectors,
    const std::vector<Pool>& pools,
    ObjectCheck& check
) {
    check.unique_names("spec.ipAddressPools", names);
    check.selectors("spec.ipAddressPoolSelectors", selectors);
    const bool all = names.empty() && selectors.empty();
    const std::set<std::string> named(names.begin(), names.end());
    std::vector<std::string> result;
    for (const Pool& pool : pools) {
        const bool selected = !selectors.empty() && kube::matches_any(selectors, pool.labels);
        if (all || selected || named.count(pool.name) != 0) {
            result.push_back(pool.name);
        }
    }
    return result;
}

}  // namespace steelyard::config
