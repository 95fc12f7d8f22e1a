#include "speaker/proxy/plan_test_support.hpp"

namespace steelyard::proxy {
namespace {

using net::Family;
using net::Protocol;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

using PolicyTest = PlanTest;

constexpr auto kHere = "10.244.1.1:8080";
constexpr auto kThere = "10.244.2.1:8080";

// What each frontend leads to, for both policies and with endpoints here, elsewhere, both or none.
TEST_F(PolicyTest, EachFrontendFollowsItsOwnPolicy) {
    struct Row {
        kube::TrafficPolicy internal;
        kube::TrafficPolicy external;
        bool here;
        bool there;
        Texts cluster_ip;
        Texts load_balancer;
        Texts dropped;  // frontends in KUBE-NO-LOCAL
    };
    const Texts external{"172.16.0.1:30080", "192.0.2.1:80"};
    const Texts all{"10.96.0.10:80", "172.16.0.1:30080", "192.0.2.1:80"};
    const std::vector<Row> rows{
        {kCluster, kCluster, true, true, {kHere, kThere}, {kHere, kThere}, {}},
        {kCluster, kCluster, false, true, {kThere}, {kThere}, {}},
        {kCluster, kCluster, false, false, {}, {}, {}},
        {kCluster, kLocal, true, true, {kHere, kThere}, {kHere}, {}},
        {kCluster, kLocal, false, true, {kThere}, {}, external},
        {kCluster, kLocal, true, false, {kHere}, {kHere}, {}},
        {kCluster, kLocal, false, false, {}, {}, {}},
        {kLocal, kCluster, true, true, {kHere}, {kHere, kThere}, {}},
        {kLocal, kCluster, false, true, {}, {kThere}, {"10.96.0.10:80"}},
        {kLocal, kCluster, false, false, {}, {}, {}},
        {kLocal, kLocal, true, true, {kHere}, {kHere}, {}},
        {kLocal, kLocal, false, true, {}, {}, all},
    };
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const Row& row = rows[i];
        SCOPED_TRACE("row " + std::to_string(i));
        service_.internal_traffic_policy = row.internal;
        service_.external_traffic_policy = row.external;
        slice_.endpoints.clear();
        if (row.here) {
            slice_.endpoints.push_back(endpoint("10.244.1.1", "a"));
        }
        if (row.there) {
            slice_.endpoints.push_back(endpoint("10.244.2.1", "b"));
        }
        const ServiceTables tables = plan_it();
        EXPECT_EQ(behind(tables, "10.96.0.10"), row.cluster_ip);
        EXPECT_EQ(behind(tables, "192.0.2.1"), row.load_balancer);
        EXPECT_EQ(behind(tables, "172.16.0.1", 30080), row.load_balancer);
        EXPECT_EQ(members(tables, SetName::NoLocal), row.dropped);
    }
}

// The metric sync_proxy_rules_no_local_endpoints_total counts these.
TEST_F(PolicyTest, ALocalPolicyWithoutAnEndpointHereIsToldOf) {
    struct Row {
        kube::TrafficPolicy internal;
        kube::TrafficPolicy external;
        bool here;
        bool there;
        bool no_internal;
        bool no_external;
    };
    for (const Row& row : {
             Row{kCluster, kCluster, false, true, false, false},
             Row{kLocal, kCluster, true, true, false, false},
             Row{kLocal, kCluster, false, true, true, false},
             Row{kCluster, kLocal, true, true, false, false},
             Row{kCluster, kLocal, false, true, false, true},
             Row{kLocal, kLocal, false, true, true, true},
             Row{kLocal, kLocal, false, false, false, false},  // nothing anywhere
         }) {
        service_.internal_traffic_policy = row.internal;
        service_.external_traffic_policy = row.external;
        slice_.endpoints.clear();
        if (row.here) {
            slice_.endpoints.push_back(endpoint("10.244.1.1", "a"));
        }
        if (row.there) {
            slice_.endpoints.push_back(endpoint("10.244.2.1", "b"));
        }
        const ServiceTables tables = plan_it();
        EXPECT_EQ(tables.no_local_internal, (Families{row.no_internal, false}));
        EXPECT_EQ(tables.no_local_external, (Families{row.no_external, false}));
    }
}

TEST_F(PolicyTest, AnExternalPolicyNeedsAnExternalFrontend) {
    service_.external_traffic_policy = kLocal;
    service_.type = kube::ServiceType::ClusterIp;
    service_.ports[0].node_port = 0;
    slice_.endpoints = {endpoint("10.244.2.1", "b")};
    EXPECT_THAT(mark_servers(plan_it()), IsEmpty());
    EXPECT_EQ(plan_it().no_local_external, Families());

    service_.external_ips = {ip("198.51.100.7")};
    EXPECT_THAT(mark_servers(plan_it()), SizeIs(1));
    EXPECT_THAT(members(plan_it(), SetName::NoLocal), ElementsAre("198.51.100.7:80"));
    EXPECT_THAT(members(plan_it(), SetName::ExternalIpLocal), ElementsAre("198.51.100.7:80"));
}

TEST_F(PolicyTest, ClientsInsideReachEveryEndpointOfALocalFrontendByOneMark) {
    service_.external_traffic_policy = kLocal;
    service_.external_ips = {ip("198.51.100.7")};
    const ServiceTables tables = plan_it();

    const auto servers = mark_servers(tables);
    ASSERT_THAT(servers, SizeIs(1));
    EXPECT_EQ(servers[0].first, by_mark(servers[0].first.mark, Family::V4));
    EXPECT_THAT(texts(servers[0].second.real_servers), ElementsAre(kHere, kThere));
    EXPECT_THAT(
        members(tables, SetName::InternalMark),
        UnorderedElementsAre("172.16.0.1:30080", "192.0.2.1:80", "198.51.100.7:80")
    );
    EXPECT_THAT(marks(tables, SetName::InternalMark), ElementsAre(servers[0].first.mark));
}

TEST_F(PolicyTest, TheServerOfAMarkStaysWhateverTheListsAre) {
    service_.external_traffic_policy = kLocal;
    const auto mark = mark_servers(plan_it()).at(0).first.mark;

    slice_.endpoints = {endpoint("10.244.1.1", "a")};  // both lists are equal
    EXPECT_EQ(mark_servers(plan_it()).at(0).first.mark, mark);
    slice_.endpoints.clear();
    const ServiceTables none = plan_it();
    EXPECT_EQ(mark_servers(none).at(0).first.mark, mark);
    EXPECT_THAT(members(none, SetName::InternalMark), IsEmpty());  // the address refuses

    service_.external_traffic_policy = kCluster;
    EXPECT_THAT(mark_servers(plan_it()), IsEmpty());
}

TEST_F(PolicyTest, BothFamiliesShareTheNumberOfAMark) {
    service_.external_traffic_policy = kLocal;
    service_.cluster_ips = {ip("10.96.0.10"), ip("fd00::10")};
    service_.ip_families = {Family::V4, Family::V6};
    service_.external_ips = {ip("fd00:77::1")};
    kube::EndpointSlice six = slice_;
    six.family = Family::V6;
    six.endpoints = {endpoint("fd00:2::1", "b")};
    const ServiceTables tables = plan_slices({slice_, six});

    const auto servers = mark_servers(tables);
    ASSERT_THAT(servers, SizeIs(2));
    EXPECT_EQ(servers[0].first.mark, servers[1].first.mark);
    EXPECT_EQ(to_string(servers[1].first).substr(0, 4), "FWM ");
    EXPECT_THAT(texts(servers[1].second.real_servers), ElementsAre("[fd00:2::1]:8080"));
    EXPECT_THAT(members(tables, SetName::NoLocal), ElementsAre("[fd00:77::1]:80"));
    EXPECT_EQ(tables.no_local_external, (Families{false, true}));
}

TEST_F(PolicyTest, InLoadBalancerModeOnlyItsAddressesAreMarked) {
    context_.config.mode = Mode::LoadBalancer;
    service_.external_traffic_policy = kLocal;
    service_.internal_traffic_policy = kLocal;
    slice_.endpoints = {endpoint("10.244.2.1", "b")};
    const ServiceTables tables = plan_it();
    EXPECT_THAT(members(tables, SetName::InternalMark), ElementsAre("192.0.2.1:80"));
    EXPECT_THAT(members(tables, SetName::NoLocal), ElementsAre("192.0.2.1:80"));
    EXPECT_EQ(tables.no_local_internal, Families());
}

// Affinity of a Service port, by whichever of its frontends a client comes. A persistent server of
// a mark translates no ports, so only frontends of the endpoints' own port can share one.
class AffinityTest : public PlanTest {
protected:
    AffinityTest() {
        service_.client_ip_affinity_seconds = 60;
        slice_.ports[0].port = 80;
    }
};

TEST_F(AffinityTest, FrontendsOfOneListShareAMark) {
    const ServiceTables tables = plan_it();
    const auto servers = mark_servers(tables);
    ASSERT_THAT(servers, SizeIs(1));
    EXPECT_EQ(servers[0].second.scheduling.persistence, 60U);
    EXPECT_THAT(
        members(tables, SetName::AffinityMark), ElementsAre("10.96.0.10:80", "192.0.2.1:80")
    );
    EXPECT_THAT(marks(tables, SetName::AffinityMark), ElementsAre(servers[0].first.mark));
    // The addresses keep persistent servers of their own, as kube-proxy has them.
    EXPECT_EQ(
        tables.virtual_servers.at({Protocol::Tcp, {ip("10.96.0.10"), 80}})->scheduling.persistence,
        60U
    );
}

TEST_F(AffinityTest, NothingIsMarkedWhereItWouldNotHelp) {
    slice_.ports[0].port = 8080;  // translated
    EXPECT_THAT(mark_servers(plan_it()), IsEmpty());

    slice_.ports[0].port = 80;
    service_.ingress.clear();  // one frontend of that port
    EXPECT_THAT(mark_servers(plan_it()), IsEmpty());

    service_.ingress = {kube::LoadBalancerIngress{ip("192.0.2.1"), "", ""}};
    slice_.endpoints.clear();  // the addresses refuse
    EXPECT_THAT(members(plan_it(), SetName::AffinityMark), IsEmpty());

    service_.client_ip_affinity_seconds.reset();
    slice_.endpoints = {endpoint("10.244.1.1", "a")};
    EXPECT_THAT(mark_servers(plan_it()), IsEmpty());
}

TEST_F(AffinityTest, EveryListHasItsOwnMark) {
    service_.external_traffic_policy = kLocal;
    service_.internal_traffic_policy = kLocal;
    service_.ports[0].node_port = 0;
    const ServiceTables tables = plan_it();
    ASSERT_THAT(mark_servers(tables), SizeIs(2));
    EXPECT_NE(marks(tables, SetName::AffinityMark), marks(tables, SetName::InternalMark));
    const std::uint32_t local = *marks(tables, SetName::AffinityMark).begin();
    EXPECT_THAT(
        texts(tables.virtual_servers.at(by_mark(local, Family::V4))->real_servers),
        ElementsAre("10.244.1.1:80")
    );
}

TEST_F(AffinityTest, InsideClientsOfALocalFrontendStickByHashWherePortsAreTranslated) {
    service_.external_traffic_policy = kLocal;  // its node port is another port
    const auto servers = mark_servers(plan_it());
    ASSERT_THAT(servers, SizeIs(1));
    EXPECT_EQ(servers[0].second.scheduling, (Scheduling{"mh", 0, {false, true}}));

    EXPECT_THAT(members(plan_it(), SetName::AffinityMark), IsEmpty());  // it has its own time

    service_.ports[0].node_port = 0;
    const ServiceTables tables = plan_it();
    EXPECT_EQ(mark_servers(tables).at(0).second.scheduling.persistence, 60U);
    // A pod meets one endpoint by the ClusterIP and by the outside address.
    EXPECT_THAT(members(tables, SetName::AffinityMark), ElementsAre("10.96.0.10:80"));
    EXPECT_EQ(marks(tables, SetName::AffinityMark), marks(tables, SetName::InternalMark));
}

}  // namespace
}  // namespace steelyard::proxy
