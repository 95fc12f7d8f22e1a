#include "common/kube/model/resource.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace steelyard::kube {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

nlohmann::json json(const char* text) {
    return nlohmann::json::parse(text);
}

net::IpAddress ip(const char* text) {
    return net::IpAddress::parse(text).value();
}

TEST(DecodeServiceTest, EveryFieldWeReadIsRead) {
    const auto decoded = decode_service(json(R"({
        "metadata": {"name": "web", "namespace": "ns", "uid": "u", "resourceVersion": "7",
            "labels": {"l": "1"}, "annotations": {"metallb.io/address-pool": "p"},
            "creationTimestamp": "2026-01-02T03:04:05Z"},
        "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.9",
            "clusterIPs": ["10.96.0.9", "fd00::9"], "externalIPs": ["198.51.100.1"],
            "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack",
            "ports": [{"name": "dns", "protocol": "UDP", "port": 53, "nodePort": 30053,
                       "targetPort": "dns"}],
            "selector": {"app": "web"}, "externalTrafficPolicy": "Local",
            "internalTrafficPolicy": "Local", "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
            "loadBalancerSourceRanges": [" 10.0.0.0/8 "], "loadBalancerIP": "192.0.2.1",
            "loadBalancerClass": "x/y", "healthCheckNodePort": 31000,
            "publishNotReadyAddresses": true, "somethingNew": {"a": [1]}},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"},
                                                {"hostname": "h"}]}}})"));
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    const Service& service = *decoded;
    EXPECT_EQ(to_string(service.meta.key), "ns/web");
    EXPECT_EQ(service.meta.uid, "u");
    EXPECT_TRUE(service.meta.creation_timestamp.has_value());
    EXPECT_EQ(service.type, ServiceType::LoadBalancer);
    EXPECT_THAT(service.cluster_ips, ElementsAre(ip("10.96.0.9"), ip("fd00::9")));
    EXPECT_THAT(service.external_ips, ElementsAre(ip("198.51.100.1")));
    EXPECT_THAT(service.ip_families, ElementsAre(net::Family::V4, net::Family::V6));
    EXPECT_EQ(service.ip_family_policy, IpFamilyPolicy::RequireDualStack);
    ServicePort dns;
    dns.name = "dns";
    dns.protocol = net::Protocol::Udp;
    dns.port = 53;
    dns.node_port = 30053;
    EXPECT_THAT(service.ports, ElementsAre(dns));
    EXPECT_EQ(service.external_traffic_policy, TrafficPolicy::Local);
    EXPECT_EQ(service.internal_traffic_policy, TrafficPolicy::Local);
    EXPECT_EQ(service.client_ip_affinity_seconds, 60U);
    EXPECT_THAT(
        service.load_balancer_source_ranges, ElementsAre(net::Prefix::parse("10.0.0.0/8").value())
    );
    EXPECT_EQ(service.load_balancer_ip, "192.0.2.1");
    EXPECT_EQ(service.load_balancer_class, "x/y");
    EXPECT_EQ(service.health_check_node_port, 31000);
    EXPECT_TRUE(service.publish_not_ready_addresses);
    ASSERT_EQ(service.ingress.size(), 2U);
    EXPECT_EQ(service.ingress[0].ip, ip("192.0.2.1"));
    EXPECT_EQ(service.ingress[1].hostname, "h");
}

TEST(DecodeServiceTest, WhatIsAbsentOrNullTakesTheDefaultOfKubernetes) {
    const auto decoded = decode_service(
        json(R"({"metadata":{"name":"a"},"spec":{"ports":null,"clusterIP":"None"},"status":{}})")
    );
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->type, ServiceType::ClusterIp);
    EXPECT_TRUE(decoded->headless);
    EXPECT_THAT(decoded->cluster_ips, IsEmpty());
    EXPECT_EQ(decoded->client_ip_affinity_seconds, std::nullopt);
    EXPECT_EQ(decoded->external_traffic_policy, TrafficPolicy::Cluster);
}

TEST(DecodeServiceTest, ValuesOfANewerServerDoNotBreakIt) {
    const auto decoded = decode_service(json(R"({"metadata":{"name":"a"},"spec":{
        "type":"Teleport","ipFamilies":["IPv4","IPv8"],"ipFamilyPolicy":"Triple",
        "externalTrafficPolicy":"Nearby","sessionAffinity":"Cookie",
        "ports":[{"port":1,"protocol":"QUIC"},{"port":2}]}})"));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->type, ServiceType::ClusterIp);
    EXPECT_THAT(decoded->ip_families, ElementsAre(net::Family::V4));
    ASSERT_EQ(decoded->ports.size(), 1U);
    EXPECT_EQ(decoded->ports[0].port, 2);
}

TEST(DecodeServiceTest, OldAddressesWithLeadingZerosAreDecimal) {
    const auto decoded =
        decode_service(json(R"({"metadata":{"name":"a"},"spec":{"externalIPs":["010.001.0.09"]}})")
        );
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    EXPECT_THAT(decoded->external_ips, ElementsAre(ip("10.1.0.9")));
}

TEST(DecodeErrorTest, OneLineNamesObjectFieldValueAndWhatIsAccepted) {
    struct Row {
        const char* object;
        const char* message;
    };
    for (const Row& row : {
             Row{R"(7)", "Service without a name: object: 7 is not an object"},
             Row{R"({})", "Service without a name: metadata.name is missing; expected a name"},
             Row{R"({"metadata":{"name":"w","namespace":"n"},"spec":[]})",
                 "Service n/w: spec: an array is not an object"},
             Row{R"({"metadata":{"name":"w"},"spec":{"ports":[{"port":70000}]}})",
                 "Service w: spec.ports[0].port: 70000 is not an integer from 0 to 65535"},
             Row{R"({"metadata":{"name":"w"},"spec":{"ports":[{"port":0}]}})",
                 "Service w: spec.ports[0].port: 0 is not a port (1..65535)"},
             Row{R"({"metadata":{"name":"w"},"spec":{"ports":[{}]}})",
                 "Service w: spec.ports[0].port is missing; expected a port (1..65535)"},
             Row{R"({"metadata":{"name":"w"},"spec":{"externalIPs":["a\nb"]}})",
                 R"(Service w: spec.externalIPs[0]: "a\nb" is not an IPv4 or IPv6 address)"},
             Row{R"({"metadata":{"name":"w"},"spec":{"loadBalancerSourceRanges":["10.0.0.0/33"]}})",
                 R"(Service w: spec.loadBalancerSourceRanges[0]: "10.0.0.0/33" is not a CIDR)"},
             Row{R"({"metadata":{"name":"w","labels":{"a.b/c":1}}})",
                 R"(Service w: metadata.labels["a.b/c"]: 1 is not a string)"},
             Row{R"({"metadata":{"name":"w","creationTimestamp":"today"}})",
                 R"(Service w: metadata.creationTimestamp: "today" is not an RFC 3339 time)"},
         }) {
        const auto decoded = decode_service(json(row.object));
        ASSERT_FALSE(decoded) << row.message;
        EXPECT_EQ(decoded.error().context, row.message);
        EXPECT_TRUE(is(decoded.error(), Errc::Invalid));
    }
}

TEST(DecodeEndpointSliceTest, MissingConditionsMeanReady) {
    const auto decoded = decode_endpoint_slice(json(R"({
        "metadata":{"name":"s","namespace":"ns","labels":{"kubernetes.io/service-name":"web"}},
        "addressType":"IPv6",
        "endpoints":[{"addresses":["fd00::1"],"nodeName":"n1"},
                     {"addresses":["fd00::2"],
                      "conditions":{"ready":false,"serving":true,"terminating":true}}],
        "ports":[{"name":"h","port":80},{"name":"any"},{"port":53,"protocol":"UDP"}]})"));
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    EXPECT_EQ(decoded->service, "web");
    EXPECT_EQ(decoded->family, net::Family::V6);
    ASSERT_EQ(decoded->endpoints.size(), 2U);
    EXPECT_TRUE(decoded->endpoints[0].ready && decoded->endpoints[0].serving);
    EXPECT_FALSE(decoded->endpoints[1].ready);
    EXPECT_TRUE(decoded->endpoints[1].terminating);
    EXPECT_EQ(decoded->ports.size(), 2U);  // "any" has no port
}

TEST(DecodeEndpointSliceTest, ASliceOfNamesHoldsNothingToSendTo) {
    const auto decoded = decode_endpoint_slice(json(
        R"({"metadata":{"name":"s"},"addressType":"FQDN","endpoints":[{"addresses":["a.b"]}]})"
    ));
    ASSERT_TRUE(decoded);
    EXPECT_THAT(decoded->endpoints, IsEmpty());
}

TEST(DecodeClusterTest, NodesPodsAndNamespaces) {
    const auto node = decode_node(json(R"({"metadata":{"name":"n"},"status":{
        "addresses":[{"type":"Hostname","address":"n"},{"type":"InternalIP","address":"10.0.0.1"}],
        "conditions":[{"type":"Ready","status":"True"},
                      {"type":"NetworkUnavailable","status":"True"}]}})"));
    ASSERT_TRUE(node);
    EXPECT_THAT(node->internal_ips, ElementsAre(ip("10.0.0.1")));
    EXPECT_TRUE(node->ready && node->network_unavailable);

    const auto pod = decode_pod(json(R"({"metadata":{"name":"p","namespace":"ns"},
        "spec":{"nodeName":"n"},"status":{"podIP":"10.1.0.1","podIPs":[{"ip":"10.1.0.1"}],
        "conditions":[{"type":"Ready","status":"Unknown"}]}})"));
    ASSERT_TRUE(pod);
    EXPECT_EQ(pod->node_name, "n");
    EXPECT_THAT(pod->pod_ips, ElementsAre(ip("10.1.0.1")));
    EXPECT_FALSE(pod->ready);

    EXPECT_EQ(decode_namespace(json(R"({"metadata":{"name":"x"}})"))->meta.key.name, "x");
}

TEST(DecodeMetallbTest, PoolsAndAdvertisementsStayAsWritten) {
    const auto pool = decode_ip_address_pool(json(R"({"metadata":{"name":"p","namespace":"m"},
        "spec":{"addresses":["not checked here"],"autoAssign":false,"avoidBuggyIPs":true,
        "serviceAllocation":{"priority":5,"namespaces":["a"],
        "serviceSelectors":[{"matchLabels":{"x":"y"}}]}}})"));
    ASSERT_TRUE(pool);
    EXPECT_THAT(pool->addresses, ElementsAre("not checked here"));
    EXPECT_FALSE(pool->auto_assign);
    EXPECT_EQ(pool->service_allocation.value().priority, 5);

    const auto advertisement = decode_l2_advertisement(json(R"({"metadata":{"name":"l"},"spec":{
        "ipAddressPools":["p"],"interfaces":["eth0"],
        "nodeSelectors":[{"matchExpressions":[{"key":"k","operator":"NotIn","values":["v"]}]}],
        "preferredNodeSelectors":[{"weight":3,"preference":{"matchLabels":{"a":"b"}}}]}})"));
    ASSERT_TRUE(advertisement) << to_string(advertisement.error());
    EXPECT_THAT(advertisement->interfaces, ElementsAre("eth0"));
    EXPECT_EQ(advertisement->preferred_node_selectors.at(0).weight, 3);

    EXPECT_EQ(
        decode_l2_advertisement(
            json(R"({"metadata":{"name":"l"},"spec":{"nodeSelectors":[{"matchExpressions":[
                 {"key":"k","operator":"Gt"}]}]}})")
        )
            .error()
            .context,
        "L2Advertisement l: spec.nodeSelectors[0].matchExpressions[0].operator: \"Gt\" is not a "
        "selector operator (In, NotIn, Exists, DoesNotExist)"
    );
}

TEST(DecodeMetallbTest, TheStatusOfALayer2ServiceNamesNodeServiceAndOwner) {
    const auto status = decode_service_l2_status(json(R"({"metadata":{"name":"l2-x",
        "namespace":"m","labels":{"metallb.io/node":"n"},"ownerReferences":[
        {"kind":"Job","name":"j","uid":"0"},{"kind":"Pod","name":"speaker-1","uid":"u"}]},
        "status":{"node":"n","serviceName":"s","serviceNamespace":"d",
        "interfaces":[{"name":"eth0"}],"conflicts":[{"ip":"192.0.2.1","mac":"02:00:00:00:00:0a"}]}})"
    ));
    ASSERT_TRUE(status) << to_string(status.error());
    EXPECT_EQ(status->owner, (ServiceL2Status::Owner{"speaker-1", "u"}));
    EXPECT_EQ(status->node, "n");
    EXPECT_EQ(status->service, (ObjectKey{"d", "s"}));
    EXPECT_THAT(status->interfaces, ElementsAre("eth0"));
    EXPECT_THAT(
        status->conflicts, ElementsAre(ServiceL2Status::Conflict{"192.0.2.1", "02:00:00:00:00:0a"})
    );
}

TEST(DecodeMetallbTest, ALayer2StatusThatIsNotWrittenYetIsEmpty) {
    const auto status = decode_service_l2_status(json(R"({"metadata":{"name":"l2-x"}})"));
    ASSERT_TRUE(status);
    EXPECT_EQ(status->node, "");
    EXPECT_FALSE(status->owner);
}

}  // namespace
}  // namespace steelyard::kube
