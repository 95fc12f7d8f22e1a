#include "common/kube/watch/object.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace steelyard::kube {

std::string metadata_text(const nlohmann::json& object, std::string_view name) {
    const auto metadata = object.is_object() ? object.find("metadata") : object.end();
    if (metadata == object.end() || !metadata->is_object()) {
        return {};
    }
    const auto found = metadata->find(name);
    return found != metadata->end() && found->is_string() ? found->get<std::string>()
                                                          : std::string();
}

std::string version_of(const nlohmann::json& object) {
    return metadata_text(object, "resourceVersion");
}

ObjectKey key_of(const nlohmann::json& object) {
    return ObjectKey{metadata_text(object, "namespace"), metadata_text(object, "name")};
}

bool ends_initial_events(const nlohmann::json& bookmark) {
    static const nlohmann::json::json_pointer kAnnotation(
        "/metadata/annotations/k8s.io~1initial-events-end"
    );
    return bookmark.is_object() && bookmark.contains(kAnnotation) &&
           bookmark[kAnnotation] == "true";
}

bool older_version(std::string_view a, std::string_view b) {
    const auto number = [](std::string_view text) {
        return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
    };
    if (!number(a) || !number(b)) {
        return false;
    }
    a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
    b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
    return a.size() != b.size() ? a.size() < b.size() : a < b;
}

}  // namespace steelyard::kube
