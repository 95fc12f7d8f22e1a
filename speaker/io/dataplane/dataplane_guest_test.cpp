#include "speaker/io/dataplane/dataplane_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <utility>

// The data plane against a real kernel: IPVS, ipset, dummy link and iptables. Needs root in a
// kernel that has them: run by `e2e/lab/lab run -- .../sy_dataplane_guest_test`.
namespace steelyard::dataplane {
namespace {

using guest::output_of;
using guest::sh;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string kernel_state() {
    return output_of(
        "(ipvsadm -Sn; ip addr show dev kube-ipvs0; ipset save; iptables-legacy-save; "
        "ip6tables-legacy-save) | grep -v '^#'"
    );
}

TEST_F(DataplaneTest, ARestartAdoptsWhatItFindsAndWritesNothing) {
    auto web = service("web", {"10.96.0.10", "fd96::10"}, "192.0.2.1");
    web->ports[0].node_port = 30080;
    web->client_ip_affinity_seconds = 600;
    web->load_balancer_source_ranges = {net::Prefix::parse("172.16.0.0/24").value()};
    put(web);
    auto sticky = service("local", {"10.96.0.11"}, "192.0.2.2");
    sticky->external_traffic_policy = kube::TrafficPolicy::Local;
    sticky->health_check_node_port = 32000;
    put(sticky);
    put_endpoints("web", {{"10.244.1.2", "a"}, {"10.244.2.2", "b"}, {"fd44::2", "a"}});
    put_endpoints("local", {{"10.244.1.3", "a"}, {"10.244.2.3", "b"}});

    start();
    const Report first = apply();
    EXPECT_GT(first.ops, 20U);
    EXPECT_TRUE(first.servable->contains(ip("192.0.2.1")));
    EXPECT_TRUE(first.servable->contains(ip("fd96::10")));
    EXPECT_THAT(output_of("ipvsadm -Sn"), HasSubstr("-A -t 192.0.2.1:80 -s rr -p 600\n"));
    EXPECT_THAT(output_of("ip addr show dev kube-ipvs0"), HasSubstr("inet 10.96.0.10/32"));
    const std::string before = kernel_state();

    restart();
    start();
    const Report second = apply();

    EXPECT_EQ(second.ops, 0U);
    EXPECT_EQ(second.sends, 0U);
    EXPECT_THAT(dataplane_->counters().rule_restores, testing::Each(0U));
    EXPECT_GT(dataplane_->counters().adopted, 20U);
    EXPECT_EQ(*second.servable, *first.servable);
    EXPECT_EQ(kernel_state(), before);
}

TEST_F(DataplaneTest, AnAuditRepairsWhatSomebodyElseChanged) {
    put(service("web", {"10.96.0.10"}, "192.0.2.1"));
    put_endpoints("web", {{"10.244.1.2", "a"}, {"10.244.2.2", "b"}});
    start();
    apply();
    const auto sorted = [] {
        return output_of(
            "(ipvsadm -Sn; ipset save; iptables-legacy-save -t nat) | grep -v '^#' | "
            "sed 's/initval [^ ]*//' | sort"
        );
    };
    const std::string before = sorted();
    EXPECT_EQ(audit().ops, 0U);

    sh("ipvsadm -D -t 192.0.2.1:80 && ipvsadm -d -t 10.96.0.10:80 -r 10.244.1.2:8080 && "
       "ipvsadm -A -t 198.51.100.9:9 && ipset flush KUBE-CLUSTER-IP && "
       "ip addr del 192.0.2.1/32 dev kube-ipvs0 && iptables-legacy -t nat -F KUBE-POSTROUTING && "
       "iptables-legacy -t nat -D PREROUTING -j KUBE-SERVICES");
    EXPECT_GT(audit().ops, 5U);
    EXPECT_EQ(sorted(), before);
    EXPECT_THAT(output_of("ip addr show dev kube-ipvs0"), HasSubstr("192.0.2.1/32"));

    sh("ip link del kube-ipvs0 && ipvsadm -C");
    audit();
    EXPECT_EQ(sorted(), before);
    EXPECT_THAT(output_of("ip addr show dev kube-ipvs0"), HasSubstr("192.0.2.1/32"));
    EXPECT_EQ(audit().ops, 0U);
}

TEST_F(DataplaneTest, WhatIsWantedIsOursThoughItsRangeIsExcluded) {
    context_.config.exclude_cidrs = {net::Prefix::parse("192.0.2.0/24").value()};
    restart();
    put(service("web", {"10.96.0.10"}, "192.0.2.1"));
    put_endpoints("web", {{"10.244.1.2", "a"}});
    start();
    sh("ipvsadm -A -t 192.0.2.9:9");
    apply();

    EXPECT_EQ(audit().ops, 0U);
    EXPECT_EQ(dataplane_->counters().drifts, 0U);
    sh("ipvsadm -D -t 192.0.2.1:80");
    EXPECT_EQ(audit().ops, 2U);

    restart();
    start();
    EXPECT_EQ(apply().ops, 0U);
    const auto cleaned = wait(dataplane_->cleanup());
    ASSERT_TRUE(cleaned) << to_string(cleaned.error());
    EXPECT_EQ(output_of("ipvsadm -Sn"), "-A -t 192.0.2.9:9 -s wlc\n");
}

TEST_F(DataplaneTest, ALoadBalancerAddressOfARealLinkIsReadBack) {
    context_.config.mode = proxy::Mode::LoadBalancer;
    planner_ = std::make_unique<proxy::Planner>(context_);
    restart();
    put(service("web", {"10.96.0.10"}, "172.16.0.1"));
    put_endpoints("web", {{"10.244.1.2", "a"}});
    start();
    sh("ipvsadm -A -t 10.96.0.10:80");  // kube-proxy's
    apply();

    EXPECT_THAT(output_of("ipvsadm -Sn"), HasSubstr("-A -t 172.16.0.1:80 -s rr\n"));
    EXPECT_THAT(output_of("ip addr show dev steelyard0"), Not(HasSubstr("172.16.0.1")));
    EXPECT_EQ(audit().ops, 0U);
    EXPECT_EQ(dataplane_->counters().drifts, 0U);
    const auto cleaned = wait(dataplane_->cleanup());
    ASSERT_TRUE(cleaned) << to_string(cleaned.error());
    EXPECT_EQ(output_of("ipvsadm -Sn"), "-A -t 10.96.0.10:80 -s wlc\n");
}

TEST_F(DataplaneTest, RealServersSomebodySetToForwardOtherwiseMasqueradeAgain) {
    auto web = service("web", {"10.96.0.10"}, "");
    web->ports[0].port = 8080;  // other ways of forwarding keep the port
    put(web);
    put_endpoints("web", {{"10.244.1.2", "a"}, {"10.244.2.2", "b"}});
    start();
    apply();
    const std::string before = output_of("ipvsadm -Sn");

    sh("ipvsadm -e -t 10.96.0.10:8080 -r 10.244.1.2:8080 -g && "
       "ipvsadm -e -t 10.96.0.10:8080 -r 10.244.2.2:8080 -i");
    ASSERT_NE(output_of("ipvsadm -Sn"), before);
    EXPECT_EQ(audit().ops, 2U);
    EXPECT_EQ(output_of("ipvsadm -Sn"), before);
    EXPECT_EQ(audit().ops, 0U);
}

TEST_F(DataplaneTest, BeforeTheFirstApplyAnAuditOnlyReportsWhatServes) {
    put(service("web", {"10.96.0.10"}, "192.0.2.1"));
    put_endpoints("web", {{"10.244.1.2", "a"}});
    start();
    apply();
    const std::string before = kernel_state();

    restart();
    start();
    const Report found = audit();

    EXPECT_EQ(found.ops, 0U);
    EXPECT_THAT(*found.servable, ElementsAre(ip("10.96.0.10"), ip("192.0.2.1")));
    EXPECT_EQ(kernel_state(), before);

    planner_->set_service({"default", "web"}, nullptr);  // deleted while nobody looked
    apply();
    EXPECT_THAT(output_of("ipvsadm -Sn"), IsEmpty());
}

TEST_F(DataplaneTest, AChangeOnTopOfUnseenDriftIsSortedOutAtOnce) {
    put(service("web", {"10.96.0.10"}, ""));
    put_endpoints("web", {{"10.244.1.2", "a"}});
    start();
    apply();
    sh("ipvsadm -D -t 10.96.0.10:80");

    put_endpoints("web", {{"10.244.1.2", "a"}, {"10.244.2.2", "b"}});
    apply();

    EXPECT_EQ(
        output_of("ipvsadm -Sn"),
        "-A -t 10.96.0.10:80 -s rr\n-a -t 10.96.0.10:80 -r 10.244.1.2:8080 -m -w 1\n"
        "-a -t 10.96.0.10:80 -r 10.244.2.2:8080 -m -w 1\n"
    );
}

TEST_F(DataplaneTest, AThousandServicesTakeFewSendsAndOneEndpointOne) {
    for (unsigned i = 0; i < 1000; ++i) {
        const std::string name = "s" + std::to_string(i);
        auto made = service(name, {}, "");
        made->cluster_ips = {ip("10.96.0.0").plus(i + 1)};
        put(made);
        put_endpoints(name, {{"10.244.1.2", "a"}, {"10.244.2.2", "b"}});
    }
    start();

    const Report all = apply();
    EXPECT_GE(all.ops, 6000U);  // 1000 servers, 2000 real servers, 1000 addresses, 2001 members
    EXPECT_LE(all.sends, 20U);
    RecordProperty("sends", static_cast<int>(all.sends));

    put_endpoints("s7", {{"10.244.1.2", "a"}, {"10.244.2.2", "b"}, {"10.244.3.2", "b"}});
    const Report one = apply();
    EXPECT_EQ(one.ops, 1U);
    EXPECT_EQ(one.sends, 1U);

    restart();
    start();
    EXPECT_EQ(apply().ops, 0U);
}

TEST_F(DataplaneTest, ARemovedTcpServerDrainsAndComesBack) {
    context_.config.drain_grace = std::chrono::hours{1};
    restart();
    put(service("web", {"10.96.0.10"}, ""));
    put_endpoints("web", {{"10.244.1.2", "a"}, {"10.244.2.2", "b"}});
    start();
    apply();

    put_endpoints("web", {{"10.244.1.2", "a"}});
    apply();
    EXPECT_THAT(output_of("ipvsadm -Sn"), HasSubstr("-r 10.244.2.2:8080 -m -w 0"));
    EXPECT_EQ(audit().ops, 0U);

    put_endpoints("web", {{"10.244.1.2", "a"}, {"10.244.2.2", "b"}});
    apply();
    EXPECT_THAT(output_of("ipvsadm -Sn"), HasSubstr("-r 10.244.2.2:8080 -m -w 1"));
}

TEST_F(DataplaneTest, AFlushBySomebodyElseIsRepairedWithinSeconds) {
    put(service("web", {"10.96.0.10"}, "192.0.2.1"));
    put_endpoints("web", {{"10.244.1.2", "a"}});
    start();
    apply();
    const std::string before = output_of("ipvsadm -Sn | sort");
    sh("ipvsadm -C");
    std::size_t repaired = 0;
    rt::TaskGroup tasks(ioc_.get_executor(), [](const std::string&, std::exception_ptr) {});
    const auto on_report = [&](const Result<Report>& report) {
        repaired = checked(report).ops;
        tasks.cancel();
    };
    tasks.spawn("maintain", dataplane_->maintain(std::chrono::hours{1}, on_report));

    ioc_.restart();
    ioc_.run();

    EXPECT_EQ(repaired, 4U);
    EXPECT_EQ(output_of("ipvsadm -Sn | sort"), before);
    EXPECT_EQ(dataplane_->counters().alarms, 1U);
}

TEST_F(DataplaneTest, AddressesCanBeBoundAsRoutesWithTheNodesSource) {
    context_.config.binding = proxy::Binding::Routes;
    context_.node_ips = {{net::Family::V4, ip("172.16.0.1")}};
    planner_ = std::make_unique<proxy::Planner>(context_);
    sh("ip link add up0 type dummy && ip addr add 172.16.0.1/24 dev up0 && ip link set up0 up");
    restart();
    put(service("web", {"10.96.0.10"}, ""));
    put_endpoints("web", {{"10.244.1.2", "a"}});
    start();
    EXPECT_TRUE(apply().servable->contains(ip("10.96.0.10")));
    EXPECT_THAT(
        output_of("ip route show table local 10.96.0.10"),
        HasSubstr("local 10.96.0.10 dev lo proto 120 scope host src 172.16.0.1")
    );
    EXPECT_THAT(output_of("ip addr show dev kube-ipvs0"), Not(HasSubstr("10.96.0.10")));

    restart();
    start();
    EXPECT_EQ(apply().ops, 0U);
    sh("ip route del table local 10.96.0.10");
    EXPECT_EQ(audit().ops, 1U);
}

TEST_F(DataplaneTest, AChangeOfBindingBindsAnewBeforeItLetsGo) {
    context_.node_ips = {{net::Family::V4, ip("172.16.0.1")}};
    planner_ = std::make_unique<proxy::Planner>(context_);
    sh("ip link add up0 type dummy && ip addr add 172.16.0.1/24 dev up0 && ip link set up0 up");
    put(service("web", {"10.96.0.10"}, ""));
    put_endpoints("web", {{"10.244.1.2", "a"}});
    const auto bind = [this](proxy::Binding binding) {
        context_.config.binding = binding;
        restart();
        start();
        const Report report = apply();
        EXPECT_TRUE(report.servable->contains(ip("10.96.0.10")));
        EXPECT_EQ(audit().ops, 0U);
        return report.ops;
    };
    bind(proxy::Binding::Addresses);

    EXPECT_EQ(bind(proxy::Binding::Routes), 2U);
    EXPECT_THAT(output_of("ip addr show dev kube-ipvs0"), Not(HasSubstr("10.96.0.10")));
    EXPECT_THAT(
        output_of("ip route show table local 10.96.0.10"),
        testing::StartsWith("local 10.96.0.10 dev lo proto 120")
    );

    EXPECT_EQ(bind(proxy::Binding::Addresses), 2U);
    EXPECT_THAT(output_of("ip addr show dev kube-ipvs0"), HasSubstr("10.96.0.10/32"));
    EXPECT_THAT(
        output_of("ip route show table local 10.96.0.10"),
        testing::StartsWith("local 10.96.0.10 dev kube-ipvs0 proto kernel")
    );
}

TEST_F(DataplaneTest, CleaningUpNeedsNoRunningSpeakerAndSaysWhatItDid) {
    const auto state = [] {
        return output_of(
            "ipvsadm -Ln; ipset list -n; ip -o link; ip route show table local;"
            "(iptables-legacy-save; ip6tables-legacy-save) | grep -E '^-A|^:KUBE'"
        );
    };
    const std::string before = state();
    auto web = service("web", {"10.96.0.10", "fd96::10"}, "192.0.2.1");
    web->external_traffic_policy = kube::TrafficPolicy::Local;
    put(web);
    put_endpoints("web", {{"10.244.1.2", "a"}});
    start();
    apply();
    ASSERT_NE(state(), before);

    restart();
    const auto removed = wait(dataplane_->cleanup());
    ASSERT_TRUE(removed) << to_string(removed.error());
    EXPECT_THAT(*removed, testing::Contains("3 addresses on kube-ipvs0"));
    EXPECT_THAT(*removed, testing::Contains("IPv6 packet filter rules"));
    EXPECT_EQ(state(), before);

    restart();
    const auto again = wait(dataplane_->cleanup());
    ASSERT_TRUE(again) << to_string(again.error());
    EXPECT_THAT(*again, IsEmpty());
    EXPECT_EQ(state(), before);
}

TEST_F(DataplaneTest, MaintainingEndsDrainsAndAudits) {
    context_.config.drain_grace = std::chrono::milliseconds{50};
    restart();
    put(service("web", {"10.96.0.10"}, ""));
    put_endpoints("web", {{"10.244.1.2", "a"}, {"10.244.2.2", "b"}});
    start();
    apply();
    put_endpoints("web", {{"10.244.1.2", "a"}});
    apply();
    std::vector<std::size_t> reported;
    rt::TaskGroup tasks(ioc_.get_executor(), [](const std::string&, std::exception_ptr) {});
    const auto on_report = [&](const Result<Report>& report) {
        reported.push_back(checked(report).ops);
        if (reported.size() == 2) {
            tasks.cancel();
        }
    };
    tasks.spawn("maintain", dataplane_->maintain(std::chrono::seconds{2}, on_report));

    ioc_.restart();
    ioc_.run();

    EXPECT_THAT(reported, ElementsAre(1U, 0U));  // the drained one goes; nothing to repair
    EXPECT_THAT(output_of("ipvsadm -Sn"), Not(HasSubstr("10.244.2.2")));
}

TEST_F(DataplaneTest, TakingOverFromAStoppedKubeProxyKeepsWhatItProgrammed) {
    sh("ip link add kube-ipvs0 type dummy && ip addr add 10.96.0.10/32 dev kube-ipvs0 && "
       "ipvsadm -A -t 10.96.0.10:80 -s rr && ipvsadm -a -t 10.96.0.10:80 -r 10.244.1.2:8080 -m && "
       "ipset create KUBE-CLUSTER-IP hash:ip,port hashsize 1024 maxelem 65536 && "
       "ipset add KUBE-CLUSTER-IP 10.96.0.10,tcp:80 && ipset create KUBE-IPVS-IPS hash:ip && "
       "ipset add KUBE-IPVS-IPS 10.96.0.10 && "
       "ipset create KUBE-LOOP-BACK hash:ip,port,ip && "
       "ipset add KUBE-LOOP-BACK 10.244.1.2,tcp:8080,10.244.1.2 && "
       "iptables-legacy -t nat -N KUBE-SERVICES && "
       "iptables-legacy -t nat -A KUBE-SERVICES -j RETURN && "
       "iptables-legacy -t nat -A PREROUTING -j KUBE-SERVICES");
    put(service("web", {"10.96.0.10"}, ""));
    put_endpoints("web", {{"10.244.1.2", "a"}});

    start();

    EXPECT_EQ(apply().ops, 0U);
    const std::string nat = output_of("iptables-legacy-save -t nat");
    EXPECT_THAT(nat, HasSubstr("--match-set KUBE-CLUSTER-IP"));
    EXPECT_THAT(nat, Not(HasSubstr("-A KUBE-SERVICES -j RETURN")));
    EXPECT_EQ(
        output_of("iptables-legacy-save -t nat | grep -c 'PREROUTING -j KUBE-SERVICES'"), "1\n"
    );
}

TEST_F(DataplaneTest, DeletingEverythingRestoresTheNode) {
    const auto state = [] {
        return output_of("ipvsadm -Ln; ipset list -n; ip -o link; iptables-legacy-save | grep KUBE"
        );
    };
    const std::string before = state();
    put(service("web", {"10.96.0.10"}, "192.0.2.1"));
    put_endpoints("web", {{"10.244.1.2", "a"}});
    start();
    apply();
    ASSERT_NE(state(), before);

    planner_->set_service({"default", "web"}, nullptr);
    const Report gone = apply();
    EXPECT_THAT(*gone.servable, IsEmpty());
    EXPECT_THAT(output_of("ipvsadm -Sn"), IsEmpty());

    const auto cleaned = wait(dataplane_->cleanup());
    ASSERT_TRUE(cleaned) << to_string(cleaned.error());
    EXPECT_EQ(state(), before);
}

TEST_F(DataplaneTest, AMissingSchedulerIsNamed) {
    context_.config.scheduler = "nosuch";
    restart();

    const auto started = wait(dataplane_->start());

    ASSERT_FALSE(started);
    EXPECT_EQ(
        started.error().context,
        "the kernel has no IPVS scheduler nosuch: load the module ip_vs_nosuch"
    );
}

}  // namespace
}  // namespace steelyard::dataplane
