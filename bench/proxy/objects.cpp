#include "bench/proxy/objects.hpp"

#include "bench/proxy/child.hpp"
#include "speaker/proxy/diff/ledger.hpp"

#include <memory>
#include <utility>

namespace steelyard::bench {
namespace {

constexpr std::uint32_t kNodes = 500;
constexpr const char* kPortName = "http";

std::string name_of(std::uint32_t number) {
    return "s" + std::to_string(number);
}

// As much of it as a Deployment's controllers and Helm leave.
std::string managed_fields(const char* manager) {
    return R"("managedFields":[{"manager":")" + std::string(manager) +
           R"(","operation":"Update","apiVersion":"v1","time":"2026-01-02T03:04:05Z",)"
           R"("fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:app":{}}},)"
           R"("f:spec":{"f:ports":{".":{},"k:{}":{".":{},"f:name":{},"f:port":{}}},)"
           R"("f:selector":{}}}}])";
}

std::string metadata(const std::string& name, std::uint64_t version, const std::string& more) {
    return R"("metadata":{"name":")" + name + R"(","namespace":"default",)" + more +
           R"("uid":"9d1f3c1e-0000-4000-8000-)" + name + R"(","resourceVersion":")" +
           std::to_string(version) + R"(","creationTimestamp":"2026-01-02T03:04:05Z"})";
}

}  // namespace

Place place(std::uint32_t service, std::uint32_t index) {
    return {
        net::IpAddress::v4(0x0b000000U + service * 16 + index),
        "n" + std::to_string((service + index * 7) % kNodes)};
}

net::IpAddress cluster_ip(std::uint32_t service) {
    return net::IpAddress::v4(0x0a600000U + service);  // 10.96.0.0
}

proxy::Context context() {
    proxy::Context made;
    made.node_name = "n0";
    made.node_addresses = {net::IpAddress::parse(kNodeAddress).value()};
    made.node_ips = {{net::Family::V4, made.node_addresses.front()}};
    return made;
}

proxy::ServiceRef service(std::uint32_t number) {
    auto made = std::make_shared<kube::Service>();
    made->meta.key = {"default", name_of(number)};
    made->type = kube::ServiceType::ClusterIp;
    made->cluster_ips = {cluster_ip(number)};
    kube::ServicePort port;
    port.name = kPortName;
    port.port = 80;
    made->ports = {port};
    return made;
}

proxy::SliceRef slice(std::uint32_t number, const std::vector<Place>& endpoints) {
    auto made = std::make_shared<kube::EndpointSlice>();
    made->meta.key = {"default", name_of(number) + "-1"};
    made->service = name_of(number);
    made->ports = {kube::SlicePort{kPortName, net::Protocol::Tcp, 8080}};
    for (const Place& each : endpoints) {
        kube::SliceEndpoint endpoint;
        endpoint.address = each.address;
        endpoint.node_name = each.node;
        made->endpoints.push_back(endpoint);
    }
    return made;
}

std::vector<Place> usual(std::uint32_t service) {
    std::vector<Place> places;
    for (std::uint32_t i = 0; i < kEndpoints; ++i) {
        places.push_back(place(service, i));
    }
    return places;
}

void fill(proxy::Planner& planner, std::uint32_t count) {
    for (std::uint32_t number = 0; number < count; ++number) {
        auto made = service(number);
        planner.set_service(made->meta.key, made);
        auto endpoints = slice(number, usual(number));
        planner.set_slice(endpoints->meta.key, endpoints);
    }
}

std::vector<proxy::Op> ops_for(std::uint32_t count) {
    proxy::Planner planner(context());
    fill(planner, count);
    proxy::Ledger ledger(planner.context().config);
    ledger.update(planner.take_changes());
    return ledger.diff(Instant());
}

std::string service_json(std::uint32_t number) {
    const std::string name = name_of(number);
    const std::string address = to_string(cluster_ip(number));
    return R"({"kind":"Service","apiVersion":"v1",)" +
           metadata(
               name,
               number + 1,
               R"("labels":{"app":")" + name + R"("},)" + managed_fields("helm") + ","
           ) +
           R"(,"spec":{"type":"ClusterIP","clusterIP":")" + address + R"(","clusterIPs":[")" +
           address +
           R"("],"ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack",)"
           R"("internalTrafficPolicy":"Cluster","sessionAffinity":"None","selector":{"app":")" +
           name +
           R"("},"ports":[{"name":"http","protocol":"TCP","port":80,"targetPort":8080}]},)"
           R"("status":{"loadBalancer":{}}})";
}

std::string slice_json(
    std::uint32_t number, const std::vector<Place>& endpoints, std::uint64_t version
) {
    const std::string name = name_of(number);
    std::string list;
    for (const Place& each : endpoints) {
        const std::string address = to_string(each.address);
        list += std::string(list.empty() ? "" : ",") + R"({"addresses":[")" + address +
                R"("],"conditions":{"ready":true,"serving":true,"terminating":false},)"
                R"("nodeName":")" +
                each.node + R"(","targetRef":{"kind":"Pod","namespace":"default","name":"pod-)" +
                address + R"(","uid":"9d1f3c1e-0000-4000-8000-)" + address + R"("}})";
    }
    return R"({"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1",)" +
           metadata(
               name + "-1",
               version,
               R"("generateName":")" + name + R"(-","labels":{"kubernetes.io/service-name":")" +
                   name +
                   R"(","endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io"},)" +
                   managed_fields("kube-controller-manager") + ","
           ) +
           R"(,"addressType":"IPv4","endpoints":[)" + list +
           R"(],"ports":[{"name":"http","protocol":"TCP","port":8080}]})";
}

}  // namespace steelyard::bench
