#include "speaker/proxy/plan.hpp"

#include "speaker/proxy/service_plan.hpp"

#include <utility>

namespace steelyard::proxy {
namespace {

constexpr std::string_view kProxyNameLabel = "service.kubernetes.io/service-proxy-name";

}  // namespace

bool is_proxied(const kube::Service& service, const ProxyConfig& config) {
    if (config.mode == Mode::AnnounceOnly || service.headless || service.cluster_ips.empty() ||
        service.type == kube::ServiceType::ExternalName ||
        service.meta.labels.contains(kProxyNameLabel)) {
        return false;
    }
    // Beside a kube-proxy, addresses that another load balancer hands out are not ours to take.
    return config.mode == Mode::Full || (service.type == kube::ServiceType::LoadBalancer &&
                                         service.load_balancer_class == config.load_balancer_class);
}

ServiceTables plan_service(
    const kube::Service& service,
    const std::vector<SliceRef>& slices,
    const Context& context,
    MarkAllocator& marks
) {
    ServicePlan plan(service, context, marks);
    const std::vector<kube::ServicePort> ports = plan.sound_ports();
    for (const net::Family family : {net::Family::V4, net::Family::V6}) {
        for (const kube::ServicePort& port : ports) {
            plan.add_port(family, port, slices);
        }
    }
    plan.add_health_check_port();
    for (const std::string& complaint : service.complaints) {
        plan.complain(complaint);
    }
    for (const SliceRef& slice : slices) {
        for (const std::string& complaint : slice->complaints) {
            plan.complain("EndpointSlice " + slice->meta.key.name + ": " + complaint);
        }
    }
    return plan.take();
}

std::shared_ptr<const ServiceTables> plan_cluster(const Context& context) {
    if (context.config.mode != Mode::Full) {
        return nullptr;
    }
    ServiceTables tables;
    for (const net::Prefix& range : context.service_cidrs) {
        if (range.length() == 0) {  // more than an ipset can say, and than anybody can mean
            continue;
        }
        SetEntry entry;
        entry.ip = range.address();
        entry.prefix_length = static_cast<std::uint8_t>(range.length());
        tables.entries.emplace(
            SetElement{{SetName::ServiceCidr, range.address().family()}, entry}, 0
        );
    }
    return tables.entries.empty() ? nullptr
                                  : std::make_shared<const ServiceTables>(std::move(tables));
}

Tables plan(const Input& input) {
    std::map<kube::ObjectKey, std::vector<SliceRef>> slices;
    for (const auto& [key, slice] : input.slices) {
        slices[kube::ObjectKey{key.ns, slice->service}].push_back(slice);
    }
    MarkAllocator marks(input.context.config.masquerade_bit);
    Tables tables;
    tables.sources = input.context.node_ips;
    if (auto cluster = plan_cluster(input.context)) {
        tables.services.emplace(kube::ObjectKey(), std::move(cluster));
    }
    for (const auto& [key, service] : input.services) {
        if (is_proxied(*service, input.context.config)) {
            tables.services.emplace(
                key,
                std::make_shared<const ServiceTables>(
                    plan_service(*service, slices[key], input.context, marks)
                )
            );
        }
    }
    return tables;
}

}  // namespace steelyard::proxy
