#include "common/kube/model/field.hpp"

#include "common/base/base64.hpp"
#include "common/kube/model/encode.hpp"

#include <limits>
#include <utility>

namespace steelyard::kube {
namespace {

// Enough of a wrong value to recognise it, on one line whatever it is.
std::string shown(const nlohmann::json& value) {
    constexpr std::size_t kMaxShown = 60;
    if (value.is_object()) {
        return "an object";
    }
    if (value.is_array()) {
        return "an array";
    }
    std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    if (text.size() > kMaxShown) {
        text.resize(kMaxShown);
        text += "...";
    }
    return text;
}

// Stored objects may be older than the API's strict checks: "010.1.2.3" means 10.1.2.3 everywhere
// in Kubernetes (k8s.io/utils/net ParseIPSloppy).
std::string without_leading_zeros(std::string_view text) {
    std::string result;
    bool octet_start = true;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool digit_follows = i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9';
        if (octet_start && text[i] == '0' && digit_follows) {
            continue;
        }
        result += text[i];
        octet_start = text[i] == '.';
    }
    return result;
}

LabelSelector::Requirement requirement(const Field& field) {
    using Operator = LabelSelector::Operator;
    LabelSelector::Requirement result;
    result.key = field["key"].text();
    result.values = field["values"].texts();
    const Field op = field["operator"];
    const std::string name = op.text();
    if (name == "In") {
        result.op = Operator::In;
    } else if (name == "NotIn") {
        result.op = Operator::NotIn;
    } else if (name == "Exists") {
        result.op = Operator::Exists;
    } else if (name == "DoesNotExist") {
        result.op = Operator::DoesNotExist;
    } else {
        // Guessing here could announce an address from the wrong node.
        op.reject("a selector operator (In, NotIn, Exists, DoesNotExist)");
    }
    return result;
}

}  // namespace

Field Field::child(const nlohmann::json* value, Step step) const {
    Field result = *this;
    result.value_ = value != nullptr && value->is_null() ? nullptr : value;
    if (depth_ < kMaxSteps) {
        result.steps_[depth_] = step;
        result.depth_ = depth_ + 1;
    }
    return result;
}

Field Field::operator[](std::string_view name) const {
    const nlohmann::json* value = nullptr;
    if (value_ != nullptr) {
        if (value_->is_object()) {
            const auto found = value_->find(name);
            value = found == value_->end() ? nullptr : &*found;
        } else {
            reject("an object");
        }
    }
    return child(value, Step{name, 0});
}

std::vector<Field> Field::items() const {
    std::vector<Field> result;
    if (value_ == nullptr) {
        return result;
    }
    if (!value_->is_array()) {
        reject("an array");
        return result;
    }
    result.reserve(value_->size());
    std::size_t index = 0;
    for (const nlohmann::json& item : *value_) {
        result.push_back(child(&item, Step{{}, index++}));
    }
    return result;
}

std::string Field::text() const {
    if (value_ == nullptr) {
        return {};
    }
    if (!value_->is_string()) {
        reject("a string");
        return {};
    }
    return value_->get_ref<const std::string&>();
}

std::string Field::secret_text() const {
    if (value_ != nullptr && !value_->is_string()) {
        complain("the value", "a string");
        return {};
    }
    return text();
}

bool Field::boolean(bool when_absent) const {
    if (value_ == nullptr) {
        return when_absent;
    }
    if (!value_->is_boolean()) {
        reject("true or false");
        return when_absent;
    }
    return value_->get<bool>();
}

std::optional<std::int64_t> Field::integer(std::int64_t min, std::int64_t max) const {
    if (value_ == nullptr) {
        return std::nullopt;
    }
    const bool too_big =
        value_->is_number_unsigned() &&
        value_->get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()};
    if (value_->is_number_integer() && !too_big) {
        const auto number = value_->get<std::int64_t>();
        if (number >= min && number <= max) {
            return number;
        }
    }
    reject("an integer from " + std::to_string(min) + " to " + std::to_string(max));
    return std::nullopt;
}

std::uint16_t Field::port() const {
    constexpr std::int64_t kMaxPort = 65535;
    return static_cast<std::uint16_t>(integer(0, kMaxPort).value_or(0));
}

std::vector<std::string> Field::texts() const {
    std::vector<std::string> result;
    for (const Field& item : items()) {
        result.push_back(item.text());
    }
    return result;
}

Labels Field::labels() const {
    Labels result;
    if (value_ == nullptr) {
        return result;
    }
    if (!value_->is_object()) {
        reject("an object of strings");
        return result;
    }
    for (const auto& [key, value] : value_->items()) {
        result.emplace(key, child(&value, Step{key, 0}).text());
    }
    return result;
}

std::optional<net::IpAddress> Field::address() const {
    const std::string written = text();
    if (written.empty()) {
        return std::nullopt;
    }
    auto parsed = net::IpAddress::parse(written);
    if (!parsed) {
        parsed = net::IpAddress::parse(without_leading_zeros(written));
    }
    if (!parsed) {
        reject("an IPv4 or IPv6 address");
        return std::nullopt;
    }
    return *parsed;
}

std::optional<WallTime> Field::time() const {
    const std::string written = text();
    if (written.empty()) {
        return std::nullopt;
    }
    const auto parsed = parse_rfc3339(written);
    if (!parsed) {
        reject("an RFC 3339 time");
    }
    return parsed;
}

std::optional<std::string> Field::base64() const {
    constexpr std::string_view kAccepted = "base 64 text";
    if (value_ == nullptr) {
        return std::nullopt;
    }
    std::optional<std::string> bytes;
    if (value_->is_string()) {
        bytes = decode_base64(value_->get_ref<const std::string&>());
    }
    if (!bytes) {
        complain("the value", kAccepted);
    }
    return bytes;
}

LabelSelector Field::selector() const {
    LabelSelector result;
    if (present()) {
        result.match_labels = (*this)["matchLabels"].labels();
        for (const Field& item : (*this)["matchExpressions"].items()) {
            result.match_expressions.push_back(requirement(item));
        }
    }
    return result;
}

std::vector<LabelSelector> Field::selectors() const {
    std::vector<LabelSelector> result;
    for (const Field& item : items()) {
        result.push_back(item.selector());
    }
    return result;
}

void Field::reject(std::string_view accepted) const {
    complain(value_ == nullptr ? "" : shown(*value_), accepted);
}

void Field::complain(const std::string& found, std::string_view accepted) const {
    if (problem_->any()) {
        return;
    }
    std::string text = path();
    text += found.empty() ? " is missing; expected " : ": " + found + " is not ";
    text += accepted;
    problem_->set(std::move(text));
}

std::string Field::path() const {
    std::string result;
    for (std::size_t i = 0; i < depth_; ++i) {
        const Step& step = steps_[i];
        if (step.name.empty()) {
            result += "[" + std::to_string(step.index) + "]";
            continue;
        }
        // Label keys hold dots and slashes; quote what is not a plain field name.
        const bool plain = step.name.find_first_of("./[] \n\r\t") == std::string_view::npos;
        if (plain) {
            result += (result.empty() ? "" : ".") + std::string(step.name);
        } else {
            result += "[" + shown(nlohmann::json(step.name)) + "]";
        }
    }
    return result.empty() ? "object" : result;
}

ObjectMeta decode_meta(const Field& object) {
    const Field metadata = object["metadata"];
    ObjectMeta meta;
    meta.key.ns = metadata["namespace"].text();
    const Field name = metadata["name"];
    meta.key.name = name.text();
    if (meta.key.name.empty()) {
        name.reject("a name");
    }
    meta.uid = metadata["uid"].text();
    meta.resource_version = metadata["resourceVersion"].text();
    meta.labels = metadata["labels"].labels();
    meta.annotations = metadata["annotations"].labels();
    meta.creation_timestamp = metadata["creationTimestamp"].time();
    meta.deletion_timestamp = metadata["deletionTimestamp"].time();
    return meta;
}

Error decode_error(std::string_view kind, const nlohmann::json& object, const Problem& problem) {
    Problem ignored;
    const Field metadata = Field(object, ignored)["metadata"];
    const ObjectKey key{metadata["namespace"].text(), metadata["name"].text()};
    const std::string name = key.name.empty() ? "without a name" : to_string(key);
    return make_error(Errc::Invalid, std::string(kind) + " " + name + ": " + problem.text());
}

}  // namespace steelyard::kube
