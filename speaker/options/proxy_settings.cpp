#include "speaker/options/proxy_settings.hpp"

#include "common/base/duration.hpp"

#include <algorithm>
#include <chrono>
#include <type_traits>

namespace steelyard::speaker {
namespace {

using nlohmann::json;

std::optional<std::vector<std::string>> texts_of(const json& value) {
    if (value.is_string()) {
        return split_list(value.get_ref<const std::string&>());
    }
    std::vector<std::string> texts;
    for (const json& part : value) {
        if (!part.is_string()) {
            return std::nullopt;
        }
        texts.push_back(part.get<std::string>());
    }
    return texts;
}

// One reader for each type a setting can have; nothing: not what is wanted.

std::optional<bool> read(const Setting&, const json& value, std::type_identity<bool>) {
    return value.is_boolean() ? std::optional(value.get<bool>()) : std::nullopt;
}

std::optional<std::int64_t>
read(const Setting& setting, const json& value, std::type_identity<std::int64_t>) {
    const bool fits =
        value.is_number_integer() &&
        !(value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{INT64_MAX});
    if (!fits) {
        return std::nullopt;
    }
    const auto number = value.get<std::int64_t>();
    return number >= setting.least && number <= setting.most ? std::optional(number) : std::nullopt;
}

std::optional<Duration>
read(const Setting& setting, const json& value, std::type_identity<Duration>) {
    if (!value.is_string()) {
        return std::nullopt;
    }
    const auto time = parse_duration(value.get_ref<const std::string&>());
    return time && *time <= std::chrono::seconds(setting.most) ? time : std::nullopt;
}

std::optional<std::string>
read(const Setting& setting, const json& value, std::type_identity<std::string>) {
    if (!value.is_string()) {
        return std::nullopt;
    }
    const auto& words = setting.words;
    auto text = value.get<std::string>();
    const bool accepted =
        words.empty() || std::find(words.begin(), words.end(), text) != words.end();
    return accepted ? std::optional(std::move(text)) : std::nullopt;
}

std::optional<Cidrs> read(const Setting& setting, const json& value, std::type_identity<Cidrs>) {
    if (!(setting.text_list ? value.is_string() : value.is_array() || value.is_string())) {
        return std::nullopt;
    }
    const auto texts = texts_of(value);
    return texts ? parse_cidrs(*texts) : std::nullopt;
}

std::optional<net::IpAddress>
read(const Setting&, const json& value, std::type_identity<net::IpAddress>) {
    if (!value.is_string()) {
        return std::nullopt;
    }
    const auto address = net::IpAddress::parse(value.get_ref<const std::string&>());
    return address ? std::optional(*address) : std::nullopt;
}

std::optional<Bind> read(const Setting& setting, const json& value, std::type_identity<Bind>) {
    if (!value.is_string()) {
        return std::nullopt;
    }
    const auto endpoint = parse_endpoint(value.get_ref<const std::string&>(), setting.default_port);
    return endpoint ? std::optional(Bind{endpoint}) : std::nullopt;
}

std::optional<NodePorts> read(const Setting&, const json& value, std::type_identity<NodePorts>) {
    const auto texts = value.is_array() || value.is_string() ? texts_of(value) : std::nullopt;
    if (!texts) {
        return std::nullopt;
    }
    if (texts->size() == 1 && texts->front() == "primary") {
        return NodePorts{true, {}};
    }
    auto cidrs = parse_cidrs(*texts);
    return cidrs ? std::optional(NodePorts{false, std::move(*cidrs)}) : std::nullopt;
}

bool says_nothing(const json& value) {
    return value.is_null() || (value.is_array() && value.empty()) ||
           (value.is_string() && value.get_ref<const std::string&>().empty());
}

}  // namespace

std::string shown(const json& value) {
    constexpr std::size_t kMost = 80;
    const std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
    return text.size() <= kMost ? text : text.substr(0, kMost) + "...";
}

Result<> set_value(
    const Setting& setting, const json& value, const std::string& name, ProxySettings& settings
) {
    if (says_nothing(value)) {
        return {};
    }
    const bool good = std::visit(
        [&]<class T>(const Setting::Member<T>& member) {
            auto read_value = read(setting, value, std::type_identity<T>{});
            if (!read_value) {
                return false;
            }
            settings.*member = std::move(read_value);
            return true;
        },
        setting.target
    );
    if (good) {
        return {};
    }
    return make_error(Errc::Invalid, name + ": " + shown(value) + " is not " + setting.wanted);
}

ProxySettings laid_over(const ProxySettings& over, const ProxySettings& under) {
    ProxySettings both = under;
    for (const Setting& setting : proxy_setting_table()) {
        std::visit(
            [&](const auto& member) {
                if (over.*member) {
                    both.*member = over.*member;
                }
            },
            setting.target
        );
    }
    return both;
}

}  // namespace steelyard::speaker
