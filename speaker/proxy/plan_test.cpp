#include "speaker/proxy/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::proxy {
namespace {

using net::Endpoint;
using net::Family;
using net::IpAddress;
using net::Protocol;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

IpAddress ip(std::string_view text) {
    return IpAddress::parse(text).value();
}

constexpr auto kCluster = kube::TrafficPolicy::Cluster;
constexpr auto kLocal = kube::TrafficPolicy::Local;

// A LoadBalancer Service web/http and two endpoints: 10.244.1.1 here (node a), 10.244.2.1 on b.
class PlanTest : public testing::Test {
protected:
    PlanTest() {
        service_.meta.key = {"default", "web"};
        service_.type = kube::ServiceType::LoadBalancer;
        service_.cluster_ips = {ip("10.96.0.10")};
        kube::ServicePort port;
        port.name = "http";
        port.port = 80;
        port.node_port = 30080;
        service_.ports = {port};
        service_.ingress = {kube::LoadBalancerIngress{ip("192.0.2.1"), "", ""}};
        slice_.meta.key = {"default", "web-1"};
        slice_.service = "web";
        slice_.ports = {kube::SlicePort{"http", Protocol::Tcp, 8080}};
        slice_.endpoints = {endpoint("10.244.1.1", "a"), endpoint("10.244.2.1", "b")};
        context_.node_name = "a";
        context_.node_addresses = {ip("172.16.0.1"), ip("127.0.0.1")};
    }

    static kube::SliceEndpoint endpoint(std::string_view address, std::string node) {
        kube::SliceEndpoint made;
        made.address = ip(address);
        made.node_name = std::move(node);
        return made;
    }

    ServiceTables plan_it() const {
        return plan_service(
            service_, {std::make_shared<const kube::EndpointSlice>(slice_)}, context_
        );
    }

    // Addresses of the real servers behind address:port; "none" when there is no virtual server.
    static std::vector<std::string> behind(
        const ServiceTables& tables, std::string_view address, std::uint16_t port = 80
    ) {
        const auto found =
            tables.virtual_servers.find({Protocol::Tcp, Endpoint{ip(address), port}});
        if (found == tables.virtual_servers.end()) {
            return {"none"};
        }
        std::vector<std::string> result;
        for (const auto& [real_server, weight] : found->second.real_servers) {
            result.push_back(to_string(real_server) + (weight == 1 ? "" : "?"));
        }
        return result;
    }

    static std::vector<std::string> members(const ServiceTables& tables, SetName set) {
        std::vector<std::string> result;
        for (const auto& [id, entry] : tables.entries) {
            if (id.name == set) {
                result.push_back(
                    set_name(id) + " " + to_string(entry.ip) + ":" + std::to_string(entry.port)
                );
            }
        }
        return result;
    }

    kube::Service service_;
    kube::EndpointSlice slice_;
    Context context_;
};

TEST_F(PlanTest, EveryFrontendOfALoadBalancerReachesEveryReadyEndpoint) {
    const ServiceTables tables = plan_it();

    const auto both = ElementsAre("10.244.1.1:8080", "10.244.2.1:8080");
    EXPECT_EQ(tables.virtual_servers.size(), 3U);
    EXPECT_THAT(behind(tables, "10.96.0.10"), both);
    EXPECT_THAT(behind(tables, "192.0.2.1"), both);
    EXPECT_THAT(behind(tables, "172.16.0.1", 30080), both);
    EXPECT_THAT(tables.addresses, ElementsAre(ip("10.96.0.10"), ip("192.0.2.1")));
    EXPECT_THAT(members(tables, SetName::ClusterIp), ElementsAre("KUBE-CLUSTER-IP 10.96.0.10:80"));
    EXPECT_THAT(
        members(tables, SetName::LoadBalancer), ElementsAre("KUBE-LOAD-BALANCER 192.0.2.1:80")
    );
    EXPECT_THAT(members(tables, SetName::LoadBalancerLocal), IsEmpty());
    EXPECT_THAT(
        members(tables, SetName::NodePortTcp), ElementsAre("KUBE-NODE-PORT-TCP 0.0.0.0:30080")
    );
    EXPECT_THAT(members(tables, SetName::LoopBack), ElementsAre("KUBE-LOOP-BACK 10.244.1.1:8080"));
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
    EXPECT_THAT(behind(plan_it(), "192.0.2.1"), ElementsAre("10.244.2.1:8080"));

    slice_.endpoints[1].ready = false;
    EXPECT_THAT(behind(plan_it(), "192.0.2.1"), ElementsAre("10.244.1.1:8080"));

    slice_.endpoints[0].serving = false;
    EXPECT_THAT(behind(plan_it(), "192.0.2.1"), IsEmpty());
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
        EXPECT_EQ(server.scheduling.persistence, 600U) << to_string(key);
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

    const ServiceTables tables = plan_service(
        service_,
        {std::make_shared<const kube::EndpointSlice>(slice_),
         std::make_shared<const kube::EndpointSlice>(six)},
        context_
    );

    EXPECT_THAT(behind(tables, "fd00::10"), ElementsAre("[fd00:1::1]:8080"));
    EXPECT_EQ(behind(tables, "10.96.0.10").size(), 2U);
    EXPECT_THAT(
        members(tables, SetName::ClusterIp),
        UnorderedElementsAre("KUBE-CLUSTER-IP 10.96.0.10:80", "KUBE-6-CLUSTER-IP fd00::10:80")
    );
}

TEST_F(PlanTest, SomeServicesAreNotOurs) {
    EXPECT_TRUE(is_proxied(service_, Mode::Full));
    EXPECT_TRUE(is_proxied(service_, Mode::LoadBalancer));
    EXPECT_FALSE(is_proxied(service_, Mode::AnnounceOnly));

    kube::Service headless = service_;
    headless.headless = true;
    EXPECT_FALSE(is_proxied(headless, Mode::Full));
    kube::Service external_name = service_;
    external_name.type = kube::ServiceType::ExternalName;
    EXPECT_FALSE(is_proxied(external_name, Mode::Full));
    kube::Service foreign = service_;
    foreign.meta.labels["service.kubernetes.io/service-proxy-name"] = "other";
    EXPECT_FALSE(is_proxied(foreign, Mode::Full));
    kube::Service cluster_ip = service_;
    cluster_ip.type = kube::ServiceType::ClusterIp;
    EXPECT_FALSE(is_proxied(cluster_ip, Mode::LoadBalancer));
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

TEST(ServableAddressesTest, NeedARealServerThatTakesConnections) {
    KernelTables tables;
    tables.virtual_servers[{Protocol::Tcp, {ip("192.0.2.1"), 80}}];
    tables.virtual_servers[{Protocol::Tcp, {ip("192.0.2.2"), 80}}].real_servers = {
        {{ip("10.0.0.1"), 80}, 0}};
    tables.virtual_servers[{Protocol::Tcp, {ip("192.0.2.3"), 80}}].real_servers = {
        {{ip("10.0.0.1"), 80}, 1}};

    EXPECT_THAT(servable_addresses(tables), ElementsAre(ip("192.0.2.3")));
}

}  // namespace
}  // namespace steelyard::proxy
