#include "common/config/parse.hpp"
#include "common/config/rules.hpp"

namespace steelyard::config {

Aliases parse_aliases(const std::vector<kube::Community>& objects, std::vector<Problem>& problems) {
    Aliases aliases;
    std::map<std::string, kube::ObjectKey> first;  // who gave the name
    for (const kube::Community* object : by_name(Kind::Community, objects, problems)) {
        const kube::ObjectKey& key = object->meta.key;
        ObjectCheck check(Kind::Community, key, problems);
        for (std::size_t i = 0; i < object->communities.size(); ++i) {
            const auto& [name, value] = object->communities[i];
            const std::string field = at("spec.communities", i);
            if (name.empty()) {
                check.add(field + ".name", name, "give a name that is not empty");
                continue;
            }
            const auto [other, is_new] = first.emplace(name, key);
            if (!is_new) {
                check.add(
                    field + ".name",
                    name,
                    "give each name once, and Community " + to_string(other->second) +
                        " has this one too"
                );
                aliases[name].reset();  // nobody knows which one is meant
                continue;
            }
            aliases[name] = parse_community(value);
            if (!aliases[name]) {
                check.add(field + ".value", value, std::string(kCommunityAccepted));
            }
        }
    }
    return aliases;
}

}  // namespace steelyard::config
