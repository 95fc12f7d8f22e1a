#include "common/kube/model/encode.hpp"
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

TEST(DecodeServiceTest, APortThatMakesNoSenseCostsTheOthersNothing) {
    const auto decoded = decode_service(json(R"({"metadata":{"name":"w"},"spec":{"ports":[
        {"port":70000},{"port":0},{},7,{"port":80,"nodePort":-1},{"port":81}]}})"));
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    ASSERT_EQ(decoded->ports.size(), 1U);
    EXPECT_EQ(decoded->ports[0].port, 81);
    EXPECT_THAT(
        decoded->complaints,
        ElementsAre(
            "spec.ports[0].port: 70000 is not an integer from 0 to 65535",
            "spec.ports[1].port: 0 is not a port (1..65535)",
            "spec.ports[2].port is missing; expected a port (1..65535)",
            "spec.ports[3].object: 7 is not an object",
            "spec.ports[4].nodePort: -1 is not an integer from 0 to 65535"
        )
    );
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
             Row{R"({"metadata":{"name":"w"},"spec":{"healthCheckNodePort":70000}})",
                 "Service w: spec.healthCheckNodePort: 70000 is not an integer from 0 to 65535"},
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

TEST(DecodeEndpointSliceTest, KeepsWhatAProxyReadsAndNoMore) {
    const auto decoded = decode_endpoint_slice(json(R"({
        "metadata":{"name":"s","namespace":"ns","uid":"u","resourceVersion":"9",
            "labels":{"kubernetes.io/service-name":"web","service.kubernetes.io/headless":""},
            "annotations":{"x":"y","endpoints.kubernetes.io/last-change-trigger-time":
                "2026-01-02T03:04:05Z"}},
        "addressType":"IPv4",
        "endpoints":[{"addresses":["10.0.0.1","10.0.0.2"],"zone":"z1",
            "targetRef":{"kind":"Pod","name":"web-0"},
            "hints":{"forZones":[{"name":"z1"},{"name":"z2"}],"forNodes":[{"name":"n1"}]}},
            {"addresses":["10.0.0.3"],"nodeName":"n1","zone":"z1",
             "targetRef":{"kind":"Pod","name":"web-6d4cf56db6-x2k4d"}}]})"));
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    EXPECT_TRUE(decoded->headless);
    EXPECT_EQ(decoded->last_change_trigger, parse_rfc3339("2026-01-02T03:04:05Z"));
    EXPECT_EQ(decoded->meta.resource_version, "9");
    ASSERT_EQ(decoded->endpoints.size(), 2U);
    EXPECT_EQ(decoded->endpoints[1].details, EndpointDetails());  // the node has a zone
    const SliceEndpoint& endpoint = decoded->endpoints[0];
    EXPECT_EQ(endpoint.address, ip("10.0.0.1"));
    EXPECT_EQ(endpoint.details.zone(), "z1");
    EXPECT_EQ(endpoint.details.pod(), "web-0");
    EXPECT_THAT(endpoint.details.for_zones(), ElementsAre("z1", "z2"));
    EXPECT_THAT(endpoint.details.for_nodes(), ElementsAre("n1"));
}

TEST(DecodeEndpointSliceTest, AnEntryThatMakesNoSenseCostsNobodyElse) {
    const auto decoded = decode_endpoint_slice(json(R"({
        "metadata":{"name":"s"},"addressType":"IPv4",
        "endpoints":[{"addresses":["10.0.0.300"]},{"addresses":["fd00::1"]},
            {"addresses":["10.0.0.1"]},{"addresses":["10.0.0.2"],"conditions":{"ready":"yes"}},
            {"addresses":["127.0.0.1"]},{"addresses":["0.0.0.0"]}],
        "ports":[{"port":0},{"port":70000},{"port":80}]})"));
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    EXPECT_EQ(decoded->endpoints.size(), 1U);
    EXPECT_EQ(decoded->ports.size(), 1U);
    EXPECT_THAT(
        decoded->complaints,
        ElementsAre(
            "endpoints[0].addresses[0]: \"10.0.0.300\" is not an IPv4 or IPv6 address",
            "endpoints[1].addresses[0]: \"fd00::1\" is not an address of the slice's addressType",
            "endpoints[3].conditions.ready: \"yes\" is not true or false",
            "endpoints[4].addresses[0]: \"127.0.0.1\" is not an address that somebody can have",
            "endpoints[5].addresses[0]: \"0.0.0.0\" is not an address that somebody can have",
            "ports[0].port: 0 is not a port (1..65535)",
            "ports[1].port: 70000 is not an integer from 0 to 65535"
        )
    );
}

TEST(EndpointDetailsTest, CopiesCompareEqualAndNothingIsStoredAsNothing) {
    EndpointDetails::Fields fields;
    fields.for_nodes = {"n1", "", "bad,name", "n2"};
    const EndpointDetails details(fields);
    const EndpointDetails copy = details;
    EXPECT_EQ(copy, details);
    EXPECT_THAT(copy.for_nodes(), ElementsAre("n1", "n2"));
    EXPECT_EQ(copy.zone(), "");
    EXPECT_THAT(copy.for_zones(), IsEmpty());
    EXPECT_EQ(EndpointDetails(EndpointDetails::Fields()), EndpointDetails());
    EXPECT_NE(copy, EndpointDetails());
}

TEST(DecodeClusterTest, ANodeTellsItsAddressesPodRangesTaintsAndZone) {
    const auto node = decode_node(json(R"({"metadata":{"name":"n",
            "labels":{"topology.kubernetes.io/zone":"z1"},
            "deletionTimestamp":"2026-01-02T03:04:05Z"},
        "spec":{"podCIDR":"10.1.0.0/24","podCIDRs":["10.1.0.0/24","fd00:1::/64"],
            "taints":[{"key":"ToBeDeletedByClusterAutoscaler","effect":"NoSchedule"}]},
        "status":{"addresses":[{"type":"Hostname","address":"host"},
            {"type":"ExternalIP","address":"192.0.2.7"},{"type":"InternalDNS","address":"x"}]}})"));
    ASSERT_TRUE(node) << to_string(node.error());
    EXPECT_EQ(zone_of(*node), "z1");
    EXPECT_EQ(zone_of(Node()), "");
    EXPECT_TRUE(node->meta.deletion_timestamp);
    EXPECT_EQ(node->hostname, "host");
    EXPECT_THAT(node->external_ips, ElementsAre(ip("192.0.2.7")));
    EXPECT_THAT(
        node->pod_cidrs,
        ElementsAre(
            net::Prefix::parse("10.1.0.0/24").value(), net::Prefix::parse("fd00:1::/64").value()
        )
    );
    EXPECT_THAT(node->taints, ElementsAre(Taint{"ToBeDeletedByClusterAutoscaler", "NoSchedule"}));
    const auto old =
        decode_node(json(R"({"metadata":{"name":"n"},"spec":{"podCIDR":"10.2.0.0/24"}})"));
    EXPECT_THAT(old->pod_cidrs, ElementsAre(net::Prefix::parse("10.2.0.0/24").value()));
}

TEST(DecodeClusterTest, AServiceCidrIsItsRangesAndWhetherTheyAreInUse) {
    const auto range = decode_service_cidr(json(R"({"metadata":{"name":"kubernetes"},
        "spec":{"cidrs":["10.96.0.0/16","fd00:96::/112"]},
        "status":{"conditions":[{"type":"Ready","status":"True"}]}})"));
    ASSERT_TRUE(range) << to_string(range.error());
    EXPECT_EQ(range->cidrs.size(), 2U);
    EXPECT_TRUE(range->ready);
    EXPECT_EQ(
        decode_service_cidr(json(R"({"metadata":{"name":"k"},"spec":{"cidrs":["x"]}})"))
            .error()
            .context,
        "ServiceCIDR k: spec.cidrs[0]: \"x\" is not a CIDR"
    );
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
