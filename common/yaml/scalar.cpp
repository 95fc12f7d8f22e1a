#include "common/yaml/scalar.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace steelyard::yaml {
namespace {

using nlohmann::json;

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), text) != words.end();
}

template <class T>
std::optional<T> whole(std::string_view digits, int base) {
    T value = 0;
    const char* const end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, value, base);
    if (digits.empty() || read.ec != std::errc{} || read.ptr != end) {
        return std::nullopt;
    }
    return value;
}

// 12, -12, 0x1f, 0o17, 017, 0b11, 1_000
std::optional<json> integer(std::string text) {
    std::erase(text, '_');
    std::string_view digits = text;
    const bool negative = digits.starts_with('-');
    if (negative || digits.starts_with('+')) {
        digits.remove_prefix(1);
    }
    if (digits.empty() || digits.front() < '0' || digits.front() > '9') {
        return std::nullopt;
    }
    int base = 10;
    const auto prefixed = [&](std::string_view lower, std::string_view upper, int of_base) {
        if (digits.size() > lower.size() &&
            (digits.starts_with(lower) || digits.starts_with(upper))) {
            digits.remove_prefix(lower.size());
            base = of_base;
            return true;
        }
        return false;
    };
    if (!prefixed("0x", "0X", 16) && !prefixed("0b", "0B", 2) && !prefixed("0o", "0O", 8)) {
        static_cast<void>(prefixed("0", "0", 8));
    }
    if (negative) {
        const auto value = whole<std::int64_t>("-" + std::string(digits), base);
        return value ? std::optional<json>(*value) : std::nullopt;
    }
    const auto value = whole<std::uint64_t>(digits, base);
    return value ? std::optional<json>(*value) : std::nullopt;
}

std::optional<json> real(std::string_view text) {
    if (text.starts_with('+')) {
        text.remove_prefix(1);
    }
    if (text.empty() || text.find_first_not_of("0123456789+-.eE") != std::string_view::npos ||
        text.find_first_of("0123456789") == std::string_view::npos) {
        return std::nullopt;
    }
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    if (read.ec != std::errc{} || read.ptr != end) {
        return std::nullopt;
    }
    return value;
}

json plain(const std::string& text) {
    if (text.empty() || one_of(text, {"~", "null", "Null", "NULL"})) {
        return nullptr;
    }
    if (one_of(text, {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})) {
        return true;
    }
    if (one_of(
            text, {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}
        )) {
        return false;
    }
    if (auto value = integer(text)) {
        return *value;
    }
    if (auto value = real(text)) {
        return *value;
    }
    return text;
}

}  // namespace

std::optional<nlohmann::json> resolve_scalar(const std::string& tag, const std::string& text) {
    constexpr std::string_view kStandard = "tag:yaml.org,2002:";
    if (tag == "?" || tag.empty()) {
        return plain(text);
    }
    if (tag == "!" || tag == std::string(kStandard) + "str") {
        return json(text);
    }
    if (tag.starts_with(kStandard) &&
        one_of(std::string_view(tag).substr(kStandard.size()), {"int", "float", "bool", "null"})) {
        return plain(text);
    }
    return std::nullopt;
}

}  // namespace steelyard::yaml
