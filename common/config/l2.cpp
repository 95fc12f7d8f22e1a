#include "common/config/parse.hpp"
#include "common/config/rules.hpp"

namespace steelyard::config {
namespace {

L2Advertisement parse_l2(
    const kube::L2Advertisement& object,
    const std::vector<Pool>& pools,
    std::vector<Problem>& problems
) {
    ObjectCheck check(Kind::L2Advertisement, object.meta.key, problems);
    std::vector<std::string> selected =
        select_pools(object.ip_address_pools, object.ip_address_pool_selectors, pools, check);
    check.selectors("spec.nodeSelectors", object.node_selectors);
    check.selectors("spec.serviceSelectors", object.service_selectors);
    check.unique_names("spec.interfaces", object.interfaces);
    for (std::size_t i = 0; i < object.interfaces.size(); ++i) {
        check.interface_name(at("spec.interfaces", i), object.interfaces[i]);
    }
    for (std::size_t i = 0; i < object.preferred_node_selectors.size(); ++i) {
        const auto& preferred = object.preferred_node_selectors[i];
        const std::string path = at("spec.preferredNodeSelectors", i);
        if (preferred.weight < 1 || preferred.weight > 100) {
            check.add(path + ".weight", std::to_string(preferred.weight), "give 1 to 100");
        }
        check.selector(path + ".preference", preferred.preference);
    }
    return {
        object.meta.key.name,
        std::move(selected),
        object.node_selectors,
        object.interfaces,
        object.service_selectors,
        object.preferred_node_selectors,
    };
}

}  // namespace

std::vector<L2Advertisement> parse_l2_advertisements(
    const std::vector<kube::L2Advertisement>& objects,
    const std::vector<Pool>& pools,
    std::vector<Problem>& problems
) {
    std::vector<L2Advertisement> result;
    for (const kube::L2Advertisement* object : by_name(Kind::L2Advertisement, objects, problems)) {
        result.push_back(parse_l2(*object, pools, problems));
    }
    return result;
}

}  // namespace steelyard::config
