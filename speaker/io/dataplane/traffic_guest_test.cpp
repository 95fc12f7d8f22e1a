#include "speaker/io/dataplane/dataplane_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// The data plane with packets: pods, clients and connections between network namespaces. Part of
// sy_dataplane_guest_test.
namespace steelyard::dataplane {
namespace {

using guest::connect;
using guest::Listener;
using guest::Namespace;
using guest::output_of;
using testing::HasSubstr;
using testing::Not;

// Node "a" with two pods and a client outside.
class TrafficTest : public DataplaneTest {
protected:
    TrafficTest() {
        pod_.add("fd44:1::1/64", "fd44:1::2/64");
        client_.add("fd16::1/64", "fd16::100/64");
        web_ = service("web", {"10.96.0.10", "fd96::10"}, "192.0.2.1");
        web_->ingress.push_back({ip("fd02::1"), "", ""});
        web_->ports[0].node_port = 30080;
        put_endpoints("web", {{"10.244.1.2", "a"}, {"fd44:1::2", "a"}});
    }

    void program() {
        put(web_);
        start();
        apply();
    }
    // The source address the pod sees, or how the connection failed.
    std::string source_seen(const Namespace* from, std::string_view to, std::uint16_t port = 80) {
        const std::string outcome = connect(from, to, port);
        if (outcome != "connected") {
            return outcome;
        }
        return server_.accept().value_or("not accepted");
    }

    Namespace pod_{"pod1", "10.244.1.1/24", "10.244.1.2/24"};
    Namespace other_{"pod2", "10.244.2.1/24", "10.244.2.2/24"};
    Namespace client_{"client", "172.16.0.1/24", "172.16.0.100/24"};
    Listener server_{&pod_, 8080};
    std::shared_ptr<kube::Service> web_;
};

TEST_F(TrafficTest, ClusterPolicyReachesThePodFromEverywhere) {
    program();

    EXPECT_EQ(source_seen(&client_, "192.0.2.1"), "10.244.1.1");  // masqueraded
    EXPECT_EQ(source_seen(&client_, "172.16.0.1", 30080), "10.244.1.1");
    EXPECT_EQ(source_seen(&client_, "fd02::1"), "fd44:1::1");
    EXPECT_EQ(source_seen(nullptr, "192.0.2.1"), "10.244.1.1");
    EXPECT_EQ(source_seen(nullptr, "10.96.0.10"), "10.244.1.1");
    EXPECT_EQ(source_seen(nullptr, "fd96::10"), "fd44:1::1");
    EXPECT_EQ(source_seen(nullptr, "172.16.0.1", 30080), "10.244.1.1");
    EXPECT_EQ(source_seen(&other_, "10.96.0.10"), "10.244.2.2");  // pod to pod keeps its source
    EXPECT_EQ(source_seen(&other_, "192.0.2.1"), "10.244.1.1");
    EXPECT_EQ(source_seen(&pod_, "10.96.0.10"), "10.244.1.1");  // to itself
    EXPECT_EQ(source_seen(&pod_, "192.0.2.1"), "10.244.1.1");
}

TEST_F(TrafficTest, LocalPolicyKeepsTheClientsAddress) {
    web_->external_traffic_policy = kube::TrafficPolicy::Local;
    program();

    EXPECT_EQ(source_seen(&client_, "192.0.2.1"), "172.16.0.100");
    EXPECT_EQ(source_seen(&client_, "fd02::1"), "fd16::100");
    EXPECT_EQ(source_seen(&client_, "172.16.0.1", 30080), "172.16.0.100");
    EXPECT_EQ(source_seen(&other_, "192.0.2.1"), "10.244.2.2");
    EXPECT_EQ(source_seen(nullptr, "192.0.2.1"), "10.244.1.1");
    EXPECT_EQ(source_seen(&pod_, "192.0.2.1"), "10.244.1.1");

    put_endpoints("web", {{"10.244.9.9", "b"}});  // nobody here any more
    apply();
    EXPECT_EQ(source_seen(&client_, "192.0.2.1"), "timeout");
}

TEST_F(TrafficTest, OffClusterClientsOfAClusterIpAreMasqueradedWhenPodsAreKnown) {
    context_.config.detect.kind = proxy::LocalDetection::Kind::ClusterCidr;
    context_.config.detect.cidrs = {net::Prefix::parse("10.244.0.0/16").value()};
    restart();
    program();

    EXPECT_EQ(source_seen(&client_, "10.96.0.10"), "10.244.1.1");
    EXPECT_EQ(source_seen(&other_, "10.96.0.10"), "10.244.2.2");
    EXPECT_EQ(source_seen(nullptr, "10.96.0.10"), "10.244.1.1");
}

// As kube-proxy leaves it, with more than there should be and a connection under way.
TEST_F(TrafficTest, TakingOverFromKubeProxyDropsNoConnection) {
    guest::play_kube_proxy();
    const guest::Conversation outside(client_, "192.0.2.1", 80, server_);
    const guest::Conversation inside(other_, "10.96.0.10", 80, server_);
    ASSERT_TRUE(outside.goes_on());
    ASSERT_TRUE(inside.goes_on());

    program();

    EXPECT_TRUE(outside.goes_on());
    EXPECT_TRUE(inside.goes_on());
    const std::string servers = output_of("ipvsadm -Sn");
    EXPECT_THAT(servers, Not(HasSubstr("10.96.0.99")));  // too much
    EXPECT_THAT(servers, Not(HasSubstr("10.244.2.9")));
    EXPECT_THAT(servers, HasSubstr("-a -t 172.16.0.1:30080 -r 10.244.1.2:8080"));
    EXPECT_THAT(output_of("ip addr show dev kube-ipvs0"), Not(HasSubstr("10.96.0.99")));
    EXPECT_GT(dataplane_->counters().adopted, 5U);
    EXPECT_EQ(source_seen(&client_, "192.0.2.1"), "10.244.1.1");
    EXPECT_EQ(audit().ops, 0U);

    context_.config.drain_grace = std::chrono::hours{1};
    restart();
    start();
    apply();
    EXPECT_TRUE(outside.goes_on());
    EXPECT_TRUE(inside.goes_on());
}

TEST_F(TrafficTest, APortThatEqualsSomebodysNodePortKeepsTheClientsAddress) {
    web_->ports[0].port = 30080;
    program();

    EXPECT_EQ(source_seen(&other_, "10.96.0.10", 30080), "10.244.2.2");
}

TEST_F(TrafficTest, HostListenersDoNotAnswerOnVirtualAddresses) {
    const Listener ssh(nullptr, 22);
    program();

    EXPECT_EQ(connect(&client_, "192.0.2.1", 22), "refused");
    EXPECT_EQ(connect(&other_, "10.96.0.10", 22), "refused");
    EXPECT_EQ(connect(&client_, "172.16.0.1", 22), "connected");
}

TEST_F(TrafficTest, SourceRangesLetInWhoTheyNameOnly) {
    web_->load_balancer_source_ranges = {net::Prefix::parse("172.16.0.100/32").value()};
    program();
    EXPECT_EQ(source_seen(&client_, "192.0.2.1"), "10.244.1.1");
    EXPECT_EQ(source_seen(&other_, "192.0.2.1"), "timeout");
    EXPECT_EQ(source_seen(nullptr, "192.0.2.1"), "timeout");

    web_ = std::make_shared<kube::Service>(*web_);
    web_->load_balancer_source_ranges = {net::Prefix::parse("172.16.0.1/32").value()};
    put(web_);
    apply();
    EXPECT_EQ(source_seen(&client_, "192.0.2.1"), "timeout");
    EXPECT_EQ(source_seen(nullptr, "192.0.2.1"), "10.244.1.1");
}

}  // namespace
}  // namespace steelyard::dataplane
