#include "controller/ipam/request.hpp"

#include <gmock/gmock.h>

namespace steelyard::ipam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

net::IpAddress ip(const std::string& text) {
    return *net::IpAddress::parse(text);
}

kube::Service web() {
    kube::Service service;
    service.meta.key = {"default", "web"};
    service.type = kube::ServiceType::LoadBalancer;
    service.cluster_ips = {ip("10.96.0.1")};
    service.ports = {{"http", net::Protocol::Tcp, 80, 30080}};
    service.selector = "app=web";
    return service;
}

TEST(RequestTest, PlainServiceAsksForAnyAddressOfItsFamily) {
    const auto request = parse_request(web(), {});

    ASSERT_TRUE(request);
    EXPECT_THAT(request->families, ElementsAre(net::Family::V4));
    EXPECT_THAT(request->addresses, SizeIs(0));
    EXPECT_EQ(request->sharing.backend, "");
}

TEST(RequestTest, NewAnnotationWinsOverTheDeprecatedOne) {
    kube::Service service = web();
    service.meta.annotations = {
        {"metallb.io/address-pool", "new"}, {"metallb.universe.tf/address-pool", "old"}};

    EXPECT_EQ(parse_request(service, {})->pool, "new");
    EXPECT_THAT(deprecated_annotations(service), ElementsAre("metallb.universe.tf/address-pool"));
}

TEST(RequestTest, DeprecatedAnnotationsAreStillRead) {
    kube::Service service = web();
    service.meta.annotations = {
        {"metallb.universe.tf/loadBalancerIPs", "10.0.0.1"},
        {"metallb.universe.tf/allow-shared-ip", "k"}};

    const auto request = parse_request(service, {});

    EXPECT_THAT(request->addresses, ElementsAre(ip("10.0.0.1")));
    EXPECT_EQ(request->sharing.key, "k");
}

TEST(RequestTest, LocalTrafficPolicyMakesTheSelectorTheBackend) {
    kube::Service service = web();
    service.external_traffic_policy = kube::TrafficPolicy::Local;

    EXPECT_EQ(parse_request(service, {})->sharing.backend, "app=web");
}

struct RefusedCase {
    const char* name;
    void (*change)(kube::Service&);
    Reason reason;
    const char* says;
};

class RefusedRequestTest : public testing::TestWithParam<RefusedCase> {};

TEST_P(RefusedRequestTest, SaysWhatToChange) {
    kube::Service service = web();
    GetParam().change(service);

    const auto request = parse_request(service, {});

    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().reason, GetParam().reason);
    EXPECT_THAT(request.error().message, HasSubstr(GetParam().says));
}

void ask(kube::Service& service, const char* addresses) {
    service.meta.annotations[std::string(kAddressesAnnotation)] = addresses;
}

INSTANTIATE_TEST_SUITE_P(
    Request,
    RefusedRequestTest,
    testing::Values(
        RefusedCase{
            "headless",
            [](kube::Service& service) {
                service.headless = true;
                service.cluster_ips.clear();
            },
            Reason::NoClusterIp,
            "no cluster IP"},
        RefusedCase{
            "dual_with_one_cluster_ip",
            [](kube::Service& service) {
                service.ip_family_policy = kube::IpFamilyPolicy::RequireDualStack;
            },
            Reason::DualStackNotPossible,
            "needs two cluster IPs"},
        RefusedCase{
            "not_an_address",
            [](kube::Service& service) { ask(service, "10.0.0.300"); },
            Reason::InvalidRequest,
            "\"10.0.0.300\" is not an IP address"},
        RefusedCase{
            "empty_item",
            [](kube::Service& service) { ask(service, "10.0.0.3,"); },
            Reason::InvalidRequest,
            "\"\" is not an IP address"},
        RefusedCase{
            "two_of_a_family",
            [](kube::Service& service) { ask(service, "10.0.0.3, 10.0.0.4"); },
            Reason::InvalidRequest,
            "one IPv4 and one IPv6"},
        RefusedCase{
            "both_ways_at_once",
            [](kube::Service& service) {
                ask(service, "10.0.0.3");
                service.load_balancer_ip = "10.0.0.3";
            },
            Reason::InvalidRequest,
            "keep one of them"},
        RefusedCase{
            "two_in_the_spec",
            [](kube::Service& service) { service.load_balancer_ip = "10.0.0.3,fd00::1"; },
            Reason::InvalidRequest,
            "takes one address"}
    ),
    [](const auto& param) { return param.param.name; }
);

}  // namespace
}  // namespace steelyard::ipam
