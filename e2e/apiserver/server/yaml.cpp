#include "e2e/apiserver/server/yaml.hpp"

#include <yaml-cpp/yaml.h>

#include <charconv>

namespace steelyard::apiserver {

namespace {

constexpr int kMaxDepth = 100;

Json scalar(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    if (node.Tag() == "!") {
        return text;  // quoted
    }
    if (text == "null" || text == "~" || text.empty()) {
        return nullptr;
    }
    if (text == "true" || text == "false") {
        return text == "true";
    }
    std::int64_t whole = 0;
    const char* const end = text.data() + text.size();
    if (const auto read = std::from_chars(text.data(), end, whole);
        read.ec == std::errc{} && read.ptr == end) {
        return whole;
    }
    double real = 0;
    const bool numeric = text.find_first_not_of("0123456789+-.eE") == std::string::npos;
    if (const auto read = std::from_chars(text.data(), end, real);
        numeric && read.ec == std::errc{} && read.ptr == end) {
        return real;
    }
    return text;
}

Result<Json> convert(const YAML::Node& node, int depth) {
    if (depth > kMaxDepth) {
        return make_error(Errc::Invalid, "YAML: nested deeper than 100 levels");
    }
    if (node.IsScalar()) {
        return scalar(node);
    }
    if (node.IsSequence()) {
        Json out = Json::array();
        for (const YAML::Node& element : node) {
            auto value = convert(element, depth + 1);
            if (!value) {
                return value;
            }
            out.push_back(std::move(*value));
        }
        return out;
    }
    if (node.IsMap()) {
        Json out = Json::object();
        for (const auto& entry : node) {
            auto value = convert(entry.second, depth + 1);
            if (!value) {
                return value;
            }
            out[entry.first.Scalar()] = std::move(*value);
        }
        return out;
    }
    return Json(nullptr);
}

}  // namespace

Result<Json> yaml_to_json(const std::string& text) {
    try {
        return convert(YAML::Load(text), 0);
    } catch (const YAML::Exception& thrown) {
        return make_error(Errc::Invalid, std::string("YAML: ") + thrown.what());
    }
}

}  // namespace steelyard::apiserver
