#include "speaker/proxy/plan_test_support.hpp"

namespace steelyard::proxy {
namespace {

using net::Family;
using net::Protocol;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

// Where a Service answers, in which sets that is told, and what is refused.
class FrontendsTest : public PlanTest {
protected:
    FrontendsTest() {
        context_.node_addresses = {
            ip("172.16.0.1"), ip("198.51.100.1"), ip("fd00:9::1"), ip("127.0.0.1"), ip("fe80::1")};
    }

    // The addresses NodePorts of `port` answer on.
    Texts node_port_addresses(std::uint16_t port = 30080) {
        Texts result;
        const ServiceTables tables = plan_it();
        for (const auto& [key, server] : tables.virtual_servers) {
            if (key.endpoint.port == port) {
                result.push_back(to_string(key.endpoint.address));
            }
        }
        return result;
    }
};

TEST_F(FrontendsTest, NodePortsAnswerWhereTheyAreAskedTo) {
    struct Row {
        std::vector<net::Prefix> ranges;
        bool primary;
        Texts addresses;
    };
    context_.node_ips = {{Family::V4, ip("198.51.100.1")}};
    for (const Row& row : {
             Row{{}, false, {"172.16.0.1", "198.51.100.1"}},
             Row{{cidr("172.16.0.0/12")}, false, {"172.16.0.1"}},
             Row{{cidr("172.16.0.0/12"), cidr("0.0.0.0/0")}, false, {"172.16.0.1", "198.51.100.1"}},
             Row{{cidr("10.0.0.0/8")}, false, {}},
             Row{{cidr("fd00::/8")}, false, {"172.16.0.1", "198.51.100.1"}},  // the other family
             Row{{cidr("127.0.0.0/8")}, false, {}},                           // never there
             Row{{}, true, {"198.51.100.1"}},
         }) {
        context_.config.node_port_addresses = row.ranges;
        context_.config.node_port_primary = row.primary;
        EXPECT_EQ(node_port_addresses(), row.addresses);
    }
}

TEST_F(FrontendsTest, NodePortsOfEachProtocolGoIntoItsSets) {
    struct Row {
        Protocol protocol;
        SetName set;
        SetName local;
        Texts members;
    };
    for (const Row& row : {
             Row{Protocol::Tcp, SetName::NodePortTcp, SetName::NodePortLocalTcp, {"30080"}},
             Row{Protocol::Udp, SetName::NodePortUdp, SetName::NodePortLocalUdp, {"30080"}},
             Row{Protocol::Sctp,
                 SetName::NodePortSctp,
                 SetName::NodePortLocalSctp,
                 {"172.16.0.1:30080/SCTP", "198.51.100.1:30080/SCTP"}},
         }) {
        set_protocol(row.protocol);
        service_.external_traffic_policy = kCluster;
        EXPECT_EQ(members(plan_it(), row.set), row.members);
        EXPECT_THAT(members(plan_it(), row.local), IsEmpty());
        EXPECT_THAT(behind(plan_it(), "172.16.0.1", 30080, row.protocol), SizeIs(2));
        service_.external_traffic_policy = kLocal;
        EXPECT_EQ(members(plan_it(), row.set), row.members);
        EXPECT_EQ(members(plan_it(), row.local), row.members);
        EXPECT_THAT(behind(plan_it(), "172.16.0.1", 30080, row.protocol), SizeIs(1));
    }
}

TEST_F(FrontendsTest, WithoutANodePortNothingAnswersOnTheNode) {
    service_.ports[0].node_port = 0;
    EXPECT_THAT(node_port_addresses(0), IsEmpty());
    EXPECT_THAT(plan_it().virtual_servers, SizeIs(2));
}

TEST_F(FrontendsTest, AFrontendWithoutEndpointsIsThereAndRefuses) {
    slice_.endpoints.clear();
    for (const char* address : {"10.96.0.10", "192.0.2.1"}) {
        EXPECT_THAT(behind(plan_it(), address), IsEmpty()) << address;
    }
    EXPECT_THAT(behind(plan_it(), "172.16.0.1", 30080), IsEmpty());
    EXPECT_THAT(members(plan_it(), SetName::NoLocal), IsEmpty());
}

TEST_F(FrontendsTest, AServiceWithoutAnAddressOfAFamilyHasNothingInIt) {
    service_.cluster_ips = {ip("fd00::10")};
    service_.ip_families = {Family::V6};
    service_.external_ips = {ip("203.0.113.1")};
    for (const auto& [key, server] : plan_it().virtual_servers) {
        EXPECT_EQ(key.endpoint.address.family(), Family::V6) << to_string(key);
    }
    EXPECT_THAT(node_port_addresses(), ElementsAre("fd00:9::1"));
}

TEST_F(FrontendsTest, FamiliesPickTheirClusterIp) {
    service_.cluster_ips = {ip("fd00::10"), ip("10.96.0.10")};
    service_.ip_families = {Family::V6, Family::V4};
    EXPECT_THAT(
        members(plan_it(), SetName::ClusterIp),
        UnorderedElementsAre("10.96.0.10:80", "[fd00::10]:80")
    );
    EXPECT_THAT(plan_it().complaints, IsEmpty());

    service_.ip_families = {Family::V4, Family::V6};  // the wrong way round
    EXPECT_THAT(plan_it().virtual_servers, IsEmpty());
    EXPECT_THAT(plan_it().complaints, SizeIs(2));
}

TEST_F(FrontendsTest, HealthChecksHaveAPortEvenWhereNoNodePortCanBe) {
    service_.external_traffic_policy = kLocal;
    service_.health_check_node_port = 32000;
    context_.node_addresses.clear();
    EXPECT_THAT(members(plan_it(), SetName::HealthCheckNodePort), ElementsAre("32000", "32000"));
    EXPECT_EQ(plan_it().health_check_node_port, 32000);

    context_.config.mode = Mode::LoadBalancer;  // the kube-proxy beside us has it
    EXPECT_EQ(plan_it().health_check_node_port, 0);
    context_.config.mode = Mode::Full;
    service_.external_traffic_policy = kCluster;
    EXPECT_EQ(plan_it().health_check_node_port, 0);
    service_.external_traffic_policy = kLocal;
    service_.type = kube::ServiceType::NodePort;
    EXPECT_EQ(plan_it().health_check_node_port, 0);
}

TEST_F(FrontendsTest, LocalReadyEndpointsArePodsNotAddressesOrPorts) {
    kube::ServicePort admin = service_.ports[0];
    admin.name = "admin";
    admin.port = 81;
    admin.node_port = 0;
    service_.ports.push_back(admin);
    slice_.ports.push_back({"admin", Protocol::Tcp, 9090});
    slice_.endpoints.push_back(endpoint("10.244.1.2", "a"));
    slice_.endpoints.push_back(terminating("10.244.1.3", "a"));
    service_.cluster_ips = {ip("10.96.0.10"), ip("fd00::10")};
    service_.ip_families = {Family::V4, Family::V6};
    kube::EndpointSlice six = slice_;
    six.family = Family::V6;
    six.endpoints = {endpoint("fd00:1::1", "a"), endpoint("fd00:1::2", "a")};
    EXPECT_EQ(plan_slices({slice_, six}).local_ready_endpoints, 2U);
}

TEST_F(FrontendsTest, SourceRangesByFamily) {
    struct Row {
        std::vector<const char*> ranges;
        Texts allowed;  // with the frontend before each
        bool node;
    };
    context_.node_ips = {{Family::V4, ip("172.16.0.1")}};
    for (const Row& row : {
             Row{{}, {}, false},
             Row{{"10.0.0.0/8"}, {"10.0.0.0/8"}, false},
             Row{{"10.0.0.0/8", "172.16.0.0/24"}, {"10.0.0.0/8", "172.16.0.0/24"}, true},
             Row{{"198.51.100.0/24"}, {"198.51.100.0/24"}, false},  // not the node's first address
             Row{{"10.0.0.0/8", "0.0.0.0/0"}, {}, false},
             Row{{"fd00::/8"}, {}, false},
             Row{{"10.0.0.0/8", "::/0"}, {"10.0.0.0/8"}, false},  // open for IPv6 only
         }) {
        service_.load_balancer_source_ranges.clear();
        Texts allowed;
        for (const char* range : row.ranges) {
            service_.load_balancer_source_ranges.push_back(cidr(range));
        }
        for (const std::string& range : row.allowed) {
            allowed.push_back("192.0.2.1:80," + range);
        }
        const ServiceTables tables = plan_it();
        EXPECT_EQ(members(tables, SetName::LoadBalancerSourceCidr), allowed);
        EXPECT_EQ(
            members(tables, SetName::LoadBalancerFw),
            allowed.empty() ? Texts{} : Texts{"192.0.2.1:80"}
        );
        EXPECT_EQ(members(tables, SetName::LoadBalancerSourceIp).size(), row.node ? 1U : 0U);
    }
}

TEST_F(FrontendsTest, WhatMakesNoSenseIsLeftOutWithAReason) {
    kube::ServicePort port = service_.ports[0];
    port.name = "zero";
    port.port = 0;
    service_.ports.push_back(port);
    port.port = 80;  // taken
    port.name = "again";
    service_.ports.push_back(port);
    port.port = 81;  // so is the name
    port.name = "http";
    service_.ports.push_back(port);
    port.protocol = Protocol::Udp;  // another protocol is another port
    port.port = 80;
    service_.ports.push_back(port);
    service_.external_ips = {ip("127.0.0.1"), ip("224.0.0.5"), ip("203.0.113.1")};
    service_.complaints = {"spec.ports[9].port: 0 is not a port (1..65535)"};
    slice_.complaints = {"endpoints[3].addresses[0]: \"x\" is not an IPv4 or IPv6 address"};

    const ServiceTables tables = plan_it();
    EXPECT_THAT(
        tables.complaints,
        UnorderedElementsAre(
            HasSubstr("port zero"),
            HasSubstr("port again"),
            HasSubstr("port http"),
            HasSubstr("externalIPs: 127.0.0.1"),
            HasSubstr("externalIPs: 224.0.0.5"),
            HasSubstr("spec.ports[9]"),
            HasSubstr("EndpointSlice web-1: endpoints[3]")
        )
    );
    EXPECT_THAT(
        members(tables, SetName::ExternalIp),
        UnorderedElementsAre("203.0.113.1:80", "203.0.113.1:80/UDP")
    );
}

TEST_F(FrontendsTest, FrontendsOfOneListShareIt) {
    const ServiceTables tables = plan_it();
    const VirtualServerRef& first = tables.virtual_servers.begin()->second;
    for (const auto& [key, server] : tables.virtual_servers) {
        EXPECT_TRUE(server.is(first)) << to_string(key);
    }
}

}  // namespace
}  // namespace steelyard::proxy
