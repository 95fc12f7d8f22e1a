#include "speaker/proxy/plan_test_support.hpp"

namespace steelyard::proxy {
namespace {

using net::Endpoint;
using net::Family;
using net::Protocol;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

TEST_F(PlanTest, EveryFrontendOfALoadBalancerReachesEveryReadyEndpoint) {
    const ServiceTables tables = plan_it();

    const auto both = ElementsAre("10.244.1.1:8080", "10.244.2.1:8080");
    EXPECT_EQ(tables.virtual_servers.size(), 3U);
    EXPECT_THAT(behind(tables, "10.96.0.10"), both);
    EXPECT_THAT(behind(tables, "192.0.2.1"), both);
    EXPECT_THAT(behind(tables, "172.16.0.1", 30080), both);
    EXPECT_THAT(tables.addresses, ElementsAre(ip("10.96.0.10"), ip("192.0.2.1")));
    EXPECT_THAT(members(tables, SetName::ClusterIp), ElementsAre("10.96.0.10:80"));
    EXPECT_THAT(members(tables, SetName::LoadBalancer), ElementsAre("192.0.2.1:80"));
    EXPECT_THAT(members(tables, SetName::LoadBalancerLocal), IsEmpty());
    EXPECT_THAT(members(tables, SetName::NodePortTcp), ElementsAre("30080"));
    EXPECT_THAT(members(tables, SetName::LoopBack), ElementsAre("10.244.1.1:8080,10.244.1.1"));
    EXPECT_EQ(tables.local_ready_endpoints, 1U);
}

TEST_F(PlanTest, ExternalLocalKeepsToThisNodeAndNeverSpills) {
    service_.external_traffic_policy = kLocal;
    service_.health_check_node_port = 32000;

    const ServiceTables tables = plan_it();
    EXPECT_THAT(behind(tables, "192.0.2.1"), ElementsAre("10.244.1.1:8080"));
    EXPECT_THAT(behind(tables, "172.16.0.1", 30080), ElementsAre("10.244.1.1:8080"));
    EXPECT_EQ(behind(tables, "10.96.0.10").size(), 2U);
    EXPECT_THAT(members(tables, SetName::LoadBalancerLocal), Not(IsEmpty()));
    EXPECT_THAT(members(tables, SetName::NodePortLocalTcp), Not(IsEmpty()));
    EXPECT_EQ(tables.health_check_node_port, 32000);

    slice_.endpoints.erase(slice_.endpoints.begin());
    const ServiceTables elsewhere = plan_it();
    EXPECT_THAT(behind(elsewhere, "192.0.2.1"), IsEmpty());
    EXPECT_THAT(behind(elsewhere, "172.16.0.1", 30080), IsEmpty());
    EXPECT_EQ(elsewhere.local_ready_endpoints, 0U);
}

TEST_F(PlanTest, InternalLocalKeepsClusterIpTrafficOnThisNode) {
    service_.internal_traffic_policy = kLocal;

    EXPECT_THAT(behind(plan_it(), "10.96.0.10"), ElementsAre("10.244.1.1:8080"));
    EXPECT_EQ(behind(plan_it(), "192.0.2.1").size(), 2U);

    slice_.endpoints.erase(slice_.endpoints.begin());
    EXPECT_THAT(behind(plan_it(), "10.96.0.10"), IsEmpty());
}

TEST_F(PlanTest, TerminatingEndpointsServeOnlyWhenNobodyIsReady) {
    slice_.endpoints[0].ready = false;
    slice_.endpoints[0].terminating = true;
    EXPECT_THAT(
        behind(plan_it(), "192.0.2.1"), ElementsAre("10.244.1.1:8080=0", "10.244.2.1:8080")
    );

    slice_.endpoints[1].ready = false;
    EXPECT_THAT(
        behind(plan_it(), "192.0.2.1"), ElementsAre("10.244.1.1:8080", "10.244.2.1:8080=0")
    );

    slice_.endpoints[0].serving = false;
    EXPECT_THAT(
        behind(plan_it(), "192.0.2.1"), ElementsAre("10.244.1.1:8080=0", "10.244.2.1:8080=0")
    );
}

TEST_F(PlanTest, EndpointsOnUnreachableNodesLeaveWhileOthersRemain) {
    context_.unreachable_nodes = {"b"};
    EXPECT_THAT(behind(plan_it(), "192.0.2.1"), ElementsAre("10.244.1.1:8080"));

    slice_.endpoints.erase(slice_.endpoints.begin());
    EXPECT_THAT(behind(plan_it(), "192.0.2.1"), ElementsAre("10.244.2.1:8080"));

    context_.unreachable_nodes = {"a"};  // gossip may say so; we know better
    slice_.endpoints = {endpoint("10.244.1.1", "a")};
    EXPECT_THAT(behind(plan_it(), "192.0.2.1"), ElementsAre("10.244.1.1:8080"));
}

TEST_F(PlanTest, PortsMatchByNameAndProtocol) {
    slice_.ports = {
        kube::SlicePort{"http", Protocol::Udp, 1}, kube::SlicePort{"other", Protocol::Tcp, 2}};

    EXPECT_THAT(behind(plan_it(), "10.96.0.10"), IsEmpty());
}

TEST_F(PlanTest, AReusedPodAddressPrefersTheLivingPod) {
    kube::SliceEndpoint old = endpoint("10.244.1.1", "a");
    old.ready = false;
    old.terminating = true;
    slice_.endpoints = {old, endpoint("10.244.1.1", "a"), old};

    EXPECT_THAT(behind(plan_it(), "10.96.0.10"), ElementsAre("10.244.1.1:8080"));
    EXPECT_EQ(plan_it().local_ready_endpoints, 1U);
}

TEST_F(PlanTest, OnlyVipModeIngressIsOurs) {
    service_.ingress = {
        {ip("192.0.2.1"), "", "Proxy"},
        {ip("192.0.2.2"), "", "VIP"},
        {std::nullopt, "lb.example", ""}};

    const ServiceTables tables = plan_it();

    EXPECT_THAT(behind(tables, "192.0.2.1"), ElementsAre("none"));
    EXPECT_EQ(behind(tables, "192.0.2.2").size(), 2U);
}

TEST_F(PlanTest, LoadBalancerModeTakesOnlyIngressAddresses) {
    context_.config.mode = Mode::LoadBalancer;
    service_.ingress[0].ip_mode = "Proxy";

    const ServiceTables tables = plan_it();

    EXPECT_EQ(tables.virtual_servers.size(), 1U);
    EXPECT_EQ(behind(tables, "192.0.2.1").size(), 2U);
}

TEST_F(PlanTest, ClientIpAffinityBecomesPersistence) {
    service_.client_ip_affinity_seconds = 600;

    for (const auto& [key, server] : plan_it().virtual_servers) {
        EXPECT_EQ(server->scheduling.persistence, 600U) << to_string(key);
    }
}

TEST_F(PlanTest, AnAddressTheNodeHasElsewhereIsNotMovedToTheDummyLink) {
    service_.external_ips = {ip("172.16.0.1")};

    const ServiceTables tables = plan_it();

    EXPECT_EQ(behind(tables, "172.16.0.1", 80).size(), 2U);
    EXPECT_FALSE(tables.addresses.contains(ip("172.16.0.1")));
    EXPECT_THAT(members(tables, SetName::ExternalIp), Not(IsEmpty()));
}

TEST_F(PlanTest, NodePortsAppearOnlyWhereAsked) {
    context_.node_addresses = {ip("172.16.0.1"), ip("198.51.100.1"), ip("127.0.0.1")};
    context_.config.node_port_addresses = {net::Prefix::parse("198.51.100.0/24").value()};

    EXPECT_THAT(behind(plan_it(), "172.16.0.1", 30080), ElementsAre("none"));
    EXPECT_EQ(behind(plan_it(), "198.51.100.1", 30080).size(), 2U);
    EXPECT_THAT(behind(plan_it(), "127.0.0.1", 30080), ElementsAre("none"));
}

TEST_F(PlanTest, SourceRangesFillTheFirewallSets) {
    service_.load_balancer_source_ranges = {net::Prefix::parse("172.16.0.0/24").value()};

    const ServiceTables tables = plan_it();
    EXPECT_EQ(members(tables, SetName::LoadBalancerFw).size(), 1U);
    EXPECT_EQ(members(tables, SetName::LoadBalancerSourceCidr).size(), 1U);
    EXPECT_EQ(members(tables, SetName::LoadBalancerSourceIp).size(), 1U);  // holds this node

    service_.load_balancer_source_ranges.push_back(net::Prefix::parse("0.0.0.0/0").value());
    EXPECT_THAT(members(plan_it(), SetName::LoadBalancerFw), IsEmpty());

    service_.load_balancer_source_ranges = {net::Prefix::parse("fd00::/8").value()};
    EXPECT_THAT(members(plan_it(), SetName::LoadBalancerFw), IsEmpty());
}

TEST_F(PlanTest, DualStackPlansEachFamilyFromItsSlices) {
    service_.cluster_ips = {ip("fd00::10"), ip("10.96.0.10")};
    kube::EndpointSlice six = slice_;
    six.family = Family::V6;
    six.endpoints = {endpoint("fd00:1::1", "a")};

    const ServiceTables tables = plan_slices({slice_, six});

    EXPECT_THAT(behind(tables, "fd00::10"), ElementsAre("[fd00:1::1]:8080"));
    EXPECT_EQ(behind(tables, "10.96.0.10").size(), 2U);
    EXPECT_THAT(
        members(tables, SetName::ClusterIp), UnorderedElementsAre("10.96.0.10:80", "[fd00::10]:80")
    );
}

ProxyConfig in_mode(Mode mode) {
    ProxyConfig config;
    config.mode = mode;
    return config;
}

TEST_F(PlanTest, BesideAKubeProxyOnlyAddressesOfOurClassAreOurs) {
    ProxyConfig config = in_mode(Mode::LoadBalancer);
    service_.load_balancer_class = "example.com/cloud";
    EXPECT_FALSE(is_proxied(service_, config));
    config.load_balancer_class = "example.com/cloud";
    EXPECT_TRUE(is_proxied(service_, config));
    EXPECT_TRUE(is_proxied(service_, in_mode(Mode::Full)));
}

TEST_F(PlanTest, SomeServicesAreNotOurs) {
    EXPECT_TRUE(is_proxied(service_, in_mode(Mode::Full)));
    EXPECT_TRUE(is_proxied(service_, in_mode(Mode::LoadBalancer)));
    EXPECT_FALSE(is_proxied(service_, in_mode(Mode::AnnounceOnly)));

    kube::Service headless = service_;
    headless.headless = true;
    EXPECT_FALSE(is_proxied(headless, in_mode(Mode::Full)));
    kube::Service external_name = service_;
    external_name.type = kube::ServiceType::ExternalName;
    EXPECT_FALSE(is_proxied(external_name, in_mode(Mode::Full)));
    kube::Service foreign = service_;
    foreign.meta.labels["service.kubernetes.io/service-proxy-name"] = "other";
    EXPECT_FALSE(is_proxied(foreign, in_mode(Mode::Full)));
    kube::Service cluster_ip = service_;
    cluster_ip.type = kube::ServiceType::ClusterIp;
    EXPECT_FALSE(is_proxied(cluster_ip, in_mode(Mode::LoadBalancer)));
}

TEST(SetNameTest, IsKubeProxysCutToTheKernelsLimit) {
    EXPECT_EQ(set_name({SetName::ClusterIp, Family::V4}), "KUBE-CLUSTER-IP");
    EXPECT_EQ(
        set_name({SetName::NodePortLocalSctp, Family::V6}), "KUBE-6-NODE-PORT-LOCAL-SCTP-HAS"
    );
    EXPECT_EQ(
        set_name({SetName::LoadBalancerSourceCidr, Family::V6}), "KUBE-6-LOAD-BALANCER-SOURCE-CID"
    );
}

TEST(SchedulerNameTest, IsItsTextAndCutToTheKernelsLimit) {
    EXPECT_EQ(std::string_view(SchedulerName("wlc")), "wlc");
    EXPECT_EQ(std::string_view(SchedulerName()), "");
    EXPECT_EQ(std::string_view(SchedulerName("fifteen-letters")), "fifteen-letters");
    EXPECT_EQ(SchedulerName("fifteen-letters and more"), SchedulerName("fifteen-letters"));
    EXPECT_FALSE(SchedulerName("rr") == SchedulerName("wrr"));
}

}  // namespace
}  // namespace steelyard::proxy
