#include "common/base/duration.hpp"
#include "common/config/config.hpp"
#include "common/config/validate.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

// A list of objects of any kind through decoding and parse(): a Config, or problems of one line
// each; validate() finds no less. A community that parses prints as one that parses to the same.
namespace {

namespace config = steelyard::config;
namespace kube = steelyard::kube;

template <class T>
void take(const nlohmann::json& object, const nlohmann::json& kind, std::vector<T>& into) {
    if (kind == kube::Resource<T>::kType.kind) {
        if (auto decoded = kube::Resource<T>::decode(object)) {
            into.push_back(std::move(*decoded));
        }
    }
}

config::Objects objects_in(const nlohmann::json& list) {
    config::Objects objects;
    objects.secrets.emplace();
    for (const nlohmann::json& object : list) {
        if (!object.is_object() || !object.contains("kind")) {
            continue;
        }
        const nlohmann::json& kind = object["kind"];
        take(object, kind, objects.pools);
        take(object, kind, objects.l2_advertisements);
        take(object, kind, objects.bgp_peers);
        take(object, kind, objects.bgp_advertisements);
        take(object, kind, objects.communities);
        take(object, kind, objects.bfd_profiles);
        take(object, kind, objects.allocation_policies);
        take(object, kind, objects.address_reservations);
        take(object, kind, *objects.secrets);
    }
    return objects;
}

void check_community(std::string_view text) {
    const auto value = config::parse_community(text);
    if (!value) {
        return;
    }
    std::string printed;
    for (const auto& item : value->standard) {
        printed = config::format_community(item);
    }
    for (const auto& item : value->large) {
        printed = config::format_community(item);
    }
    for (const auto& item : value->extended) {
        printed = config::format_community(item);
    }
    if (config::parse_community(printed) != value) {
        std::abort();
    }
}

void check_lines(const std::vector<config::Problem>& problems) {
    for (const config::Problem& problem : problems) {
        if (to_string(problem).find(10) != std::string::npos) {
            std::abort();
        }
    }
}

void check_objects(const config::Objects& objects) {
    const config::ParseResult result = config::parse(objects);
    const bool right = result.problems.empty();
    if ((result.config != nullptr) != right || (result.partial != nullptr && right)) {
        std::abort();
    }
    check_lines(result.problems);
    const config::Findings findings = config::validate(objects);
    if (findings.problems.size() < result.problems.size()) {
        std::abort();
    }
    check_lines(findings.problems);
    check_lines(findings.warnings);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_community(text);
    static_cast<void>(steelyard::parse_duration(text));
    const nlohmann::json list = nlohmann::json::parse(text, nullptr, false);
    constexpr std::size_t kMostObjects = 50;
    if (list.is_array() && list.size() <= kMostObjects) {
        config::Objects objects = objects_in(list);
        check_objects(objects);
        objects.scope = config::Scope{"n", {{"rack", "1"}}};
        check_objects(objects);
    }
    return 0;
}
