#include "speaker/io/dataplane/guest_net.hpp"
#include "speaker/io/dataplane/kernel.hpp"
#include "speaker/io/dataplane/loop_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string_view>

// The kernel's subsystems as the proxy speaks to them, on a real kernel. Needs root in a kernel
// that has IPVS: run by `e2e/lab/lab run -- .../sy_kernel_guest_test`.
namespace steelyard::dataplane {
namespace {

using guest::output_of;
using guest::sh;
using net::Endpoint;
using net::Family;
using net::IpAddress;
using net::Protocol;
using proxy::KernelTables;
using proxy::Op;
using proxy::SetEntry;
using proxy::SetId;
using proxy::SetName;
using proxy::VirtualServerKey;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::uint32_t kMark = 0x80001234;

Endpoint at(std::string_view address, std::uint16_t port) {
    return {ip(address), port};
}

SetEntry member(std::string_view address, std::uint16_t port, Protocol protocol = Protocol::Tcp) {
    SetEntry entry;
    entry.ip = ip(address);
    entry.protocol = protocol;
    entry.port = port;
    return entry;
}

const SetId kClusterIp{SetName::ClusterIp, Family::V4};
const SetId kInternalMark{SetName::InternalMark, Family::V4};
const VirtualServerKey kWeb{Protocol::Tcp, at("10.96.0.10", 80), 0};
const VirtualServerKey kDns{Protocol::Udp, at("10.96.0.10", 53), 0};
const Endpoint kPodA = at("10.244.1.2", 8080);
const Endpoint kPodB = at("10.244.2.2", 8080);

class KernelTest : public LoopTest {
protected:
    KernelTest() {
        guest::enter_fresh_node();
        sh("ip link add eth0 type dummy && ip addr add 172.16.0.1/24 dev eth0 && "
           "ip addr add fd16::1/64 dev eth0 nodad && ip link set eth0 up");
        make();
    }
    void make() {
        kernel_ =
            std::make_unique<Kernel>(ioc_.get_executor(), config_, proxy::names_for(config_.mode));
    }
    void prepare() {
        const auto prepared = wait(kernel_->prepare());
        ASSERT_TRUE(prepared) << to_string(prepared.error());
    }
    KernelTables read() {
        auto tables = wait(kernel_->read());
        EXPECT_TRUE(tables) << to_string(tables.error());
        return tables ? std::move(*tables) : KernelTables();
    }
    Outcome execute(const std::vector<Op>& ops) { return wait(kernel_->execute(ops)); }
    void must(const std::vector<Op>& ops) {
        const Outcome outcome = execute(ops);
        for (const OpFailure& failure : outcome.failures) {
            ADD_FAILURE() << to_string(failure.verdict) << ": " << failure.reason;
        }
    }
    // The verdict on a single operation; nullopt when it is done.
    std::optional<Verdict> verdict(const Op& op) {
        const Outcome outcome = execute({op});
        return outcome.failures.empty() ? std::nullopt : std::optional(outcome.failures[0].verdict);
    }

    proxy::ProxyConfig config_;
    std::unique_ptr<Kernel> kernel_;
};

TEST_F(KernelTest, EverythingReadsBackAsItWasWritten) {
    prepare();
    const VirtualServerKey marked4 = proxy::by_mark(kMark, Family::V4);
    const VirtualServerKey marked6 = proxy::by_mark(kMark, Family::V6);
    const VirtualServerKey six{Protocol::Sctp, at("fd96::10", 80), 0};
    SetEntry range;
    range.ip = ip("10.96.0.0");
    range.prefix_length = 12;
    SetEntry source = member("192.0.2.1", 80);
    source.second_ip = ip("10.0.0.0");
    source.prefix_length = 8;
    SetEntry loop = member("10.244.1.2", 8080);
    loop.second_ip = ip("10.244.1.2");
    SetEntry node_port;
    node_port.port = 30080;
    SetEntry bound;
    bound.ip = ip("10.96.0.10");

    KernelTables wanted;
    wanted.virtual_servers[kWeb] = {{"rr", 0, {}}, {{kPodA, 1}, {kPodB, 0}}, {}};
    wanted.virtual_servers[kDns] = {{"wlc", 0, {}}, {{at("10.244.1.2", 53), 7}}, {}};
    wanted.virtual_servers[six] = {{"mh", 0, {true, true}}, {{at("fd44::2", 8080), 1}}, {}};
    wanted.virtual_servers[marked4] = {{"rr", 600, {}}, {{kPodA, 1}}, {}};
    wanted.virtual_servers[marked6] = {{"sh", 0, {false, true}}, {{at("fd44::2", 80), 1}}, {}};
    wanted.addresses = {ip("10.96.0.10"), ip("fd96::10")};
    wanted.routes = {ip("10.96.0.11"), ip("fd96::11")};
    wanted.sets[kClusterIp][member("10.96.0.10", 53, Protocol::Udp)] = 0;
    wanted.sets[{SetName::ClusterIp, Family::V6}][member("fd96::10", 80, Protocol::Sctp)] = 0;
    wanted.sets[kInternalMark][member("192.0.2.1", 80)] = kMark;
    wanted.sets[{SetName::ServiceCidr, Family::V4}][range] = 0;
    wanted.sets[{SetName::LoadBalancerSourceCidr, Family::V4}][source] = 0;
    wanted.sets[{SetName::LoopBack, Family::V4}][loop] = 0;
    wanted.sets[{SetName::NodePortTcp, Family::V4}][node_port] = 0;
    wanted.sets[{SetName::IpvsIps, Family::V4}][bound] = 0;

    std::vector<Op> ops;
    for (const auto& [set, entries] : wanted.sets) {
        for (const auto& [entry, mark] : entries) {
            ops.emplace_back(proxy::AddSetEntry{set, entry, mark});
        }
    }
    for (const auto& [key, server] : wanted.virtual_servers) {
        ops.emplace_back(proxy::AddVirtualServer{key, server.scheduling});
        for (const auto& [real_server, weight] : server.real_servers) {
            ops.emplace_back(proxy::AddRealServer{key, real_server, weight});
        }
    }
    for (const IpAddress& address : wanted.addresses) {
        ops.emplace_back(proxy::AddAddress{address});
    }
    ops.emplace_back(proxy::AddRoute{ip("10.96.0.11"), ip("172.16.0.1")});
    ops.emplace_back(proxy::AddRoute{ip("fd96::11"), ip("fd16::1")});
    const Outcome outcome = execute(ops);

    EXPECT_THAT(outcome.failures, IsEmpty());
    EXPECT_EQ(outcome.sends, 3U);
    EXPECT_EQ(read(), wanted);
    EXPECT_THAT(output_of("ipvsadm -Ln"), HasSubstr(" rr persistent 600\n"));
    EXPECT_THAT(output_of("ipvsadm -Ln"), HasSubstr("mh (mh-fallback,mh-port)"));
    EXPECT_THAT(
        output_of("ipset list KUBE-INTERNAL-MARK"), HasSubstr("192.0.2.1,tcp:80 skbmark 0x80001234")
    );
    EXPECT_THAT(
        output_of("ip route show table local proto 120"),
        HasSubstr("local 10.96.0.11 dev lo scope host src 172.16.0.1")
    );
    EXPECT_THAT(output_of("ip route get 10.96.0.11"), HasSubstr("src 172.16.0.1"));
    EXPECT_THAT(output_of("ip route get fd96::11"), HasSubstr("src fd16::1"));
    EXPECT_THAT(output_of("ip link show kube-ipvs0"), HasSubstr("state DOWN"));
    EXPECT_THAT(kernel_->warnings(), IsEmpty());
}

TEST_F(KernelTest, ARefusalStopsNothingElseAndSaysWhatItIs) {
    prepare();
    const VirtualServerKey absent{Protocol::Tcp, at("10.96.0.99", 80), 0};
    proxy::Scheduling unknown;
    unknown.scheduler = "nonesuch";

    const Outcome outcome = execute({
        proxy::AddVirtualServer{kWeb, {}},
        proxy::AddRealServer{absent, kPodA, 1},
        proxy::AddVirtualServer{kDns, unknown},
        proxy::AddRealServer{kWeb, kPodA, 1},
    });

    ASSERT_THAT(outcome.failures, SizeIs(2));
    EXPECT_EQ(outcome.failures[0].op, 1U);
    EXPECT_EQ(outcome.failures[0].verdict, Verdict::Drifted);
    EXPECT_THAT(outcome.failures[0].reason, HasSubstr("10.96.0.99:80"));
    EXPECT_EQ(outcome.failures[1].op, 2U);
    EXPECT_THAT(output_of("ipvsadm -Sn"), HasSubstr("-a -t 10.96.0.10:80 -r 10.244.1.2:8080"));
}

TEST_F(KernelTest, WhatIsAlreadyAsWantedIsDoneAndWhatDiffersIsDrift) {
    prepare();
    must({
        proxy::AddVirtualServer{kWeb, {}},
        proxy::AddRealServer{kWeb, kPodA, 1},
        proxy::AddAddress{ip("10.96.0.10")},
        proxy::AddRoute{ip("10.96.0.11"), ip("172.16.0.1")},
        proxy::AddSetEntry{kClusterIp, member("10.96.0.10", 80), 0},
    });

    EXPECT_EQ(verdict(proxy::AddVirtualServer{kWeb, {}}), Verdict::Drifted);
    EXPECT_EQ(verdict(proxy::AddRealServer{kWeb, kPodA, 1}), Verdict::Drifted);
    EXPECT_EQ(verdict(proxy::SetRealServer{kWeb, kPodB, 1}), Verdict::Drifted);
    EXPECT_EQ(verdict(proxy::SetVirtualServer{kDns, {}}), Verdict::Drifted);
    EXPECT_EQ(verdict(proxy::AddAddress{ip("10.96.0.10")}), std::nullopt);
    EXPECT_EQ(verdict(proxy::AddRoute{ip("10.96.0.11"), ip("172.16.0.1")}), std::nullopt);
    EXPECT_EQ(verdict(proxy::AddSetEntry{kClusterIp, member("10.96.0.10", 80), 0}), std::nullopt);
    EXPECT_EQ(verdict(proxy::RemoveVirtualServer{kDns}), std::nullopt);
    EXPECT_EQ(verdict(proxy::RemoveRealServer{kWeb, kPodB}), std::nullopt);
    EXPECT_EQ(verdict(proxy::RemoveRealServer{kDns, kPodB}), std::nullopt);
    EXPECT_EQ(verdict(proxy::RemoveAddress{ip("10.96.0.12")}), std::nullopt);
    EXPECT_EQ(verdict(proxy::RemoveRoute{ip("10.96.0.12")}), std::nullopt);
    EXPECT_EQ(verdict(proxy::RemoveSetEntry{kClusterIp, member("10.96.0.9", 1)}), std::nullopt);

    sh("ip link del kube-ipvs0 && ipset destroy KUBE-CLUSTER-IP");
    EXPECT_EQ(verdict(proxy::AddAddress{ip("10.96.0.13")}), Verdict::Drifted);
    EXPECT_EQ(
        verdict(proxy::AddSetEntry{kClusterIp, member("10.96.0.10", 80), 0}), Verdict::Drifted
    );
}

TEST_F(KernelTest, ARoutesSourceChangesInPlace) {
    prepare();
    sh("ip addr add 172.16.0.2/24 dev eth0");
    must({
        proxy::AddAddress{ip("10.96.0.11")},  // bound both ways, as on the way from one to another
        proxy::AddRoute{ip("10.96.0.11"), ip("172.16.0.1")},
        proxy::AddRoute{ip("10.96.0.11"), ip("172.16.0.2")},
    });
    EXPECT_THAT(output_of("ip route get 10.96.0.11"), HasSubstr("src 172.16.0.2"));

    must({proxy::RemoveAddress{ip("10.96.0.11")}});
    EXPECT_EQ(read().routes, std::set<IpAddress>{ip("10.96.0.11")});
    EXPECT_THAT(output_of("ip route get 10.96.0.11"), HasSubstr("src 172.16.0.2"));

    must({proxy::RemoveRoute{ip("10.96.0.11")}});
    EXPECT_THAT(output_of("ip route show table local"), Not(HasSubstr("10.96.0.11")));
    EXPECT_EQ(verdict(proxy::AddRoute{ip("10.96.0.12"), ip("192.0.2.77")}), Verdict::Refused);
}

TEST_F(KernelTest, AMembersMarkChangesInPlace) {
    prepare();
    must({
        proxy::AddSetEntry{kInternalMark, member("192.0.2.1", 80), kMark},
        proxy::AddSetEntry{kInternalMark, member("192.0.2.1", 80), kMark + 1},
    });

    EXPECT_EQ(read().sets[kInternalMark][member("192.0.2.1", 80)], kMark + 1);
}

TEST_F(KernelTest, ASetThatIsFullGrowsUnderTheRulesThatUseIt) {
    sh("ipset create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 64 maxelem 64 && "
       "iptables-legacy -I INPUT -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT");
    prepare();
    std::vector<Op> ops;
    for (std::uint16_t port = 1; port <= 300; ++port) {
        ops.emplace_back(proxy::AddSetEntry{kClusterIp, member("10.96.0.10", port), 0});
    }
    must(ops);

    EXPECT_THAT(read().sets[kClusterIp], SizeIs(300));
    EXPECT_THAT(output_of("ipset list KUBE-CLUSTER-IP -t"), HasSubstr("maxelem 1048576"));
    EXPECT_THAT(output_of("ipset list KUBE-CLUSTER-IP -t"), HasSubstr("References: 1"));
    EXPECT_THAT(output_of("ipset list -n"), Not(HasSubstr("NEW")));
}

TEST_F(KernelTest, ASetNearItsLimitGrowsBeforeItIsFull) {
    sh("ipset create KUBE-CLUSTER-IP hash:ip,port family inet maxelem 4 && "
       "ipset add KUBE-CLUSTER-IP 10.96.0.1,tcp:1 && ipset add KUBE-CLUSTER-IP 10.96.0.1,tcp:2 && "
       "ipset add KUBE-CLUSTER-IP 10.96.0.1,tcp:3");
    prepare();

    EXPECT_THAT(read().sets[kClusterIp], SizeIs(3));
    EXPECT_THAT(output_of("ipset list KUBE-CLUSTER-IP -t"), HasSubstr("maxelem 1048576"));
}

TEST_F(KernelTest, ASetThatCannotCarryMarksIsRenewedWithItsMembers) {
    sh("ipset create KUBE-INTERNAL-MARK hash:ip,port family inet && "
       "ipset add KUBE-INTERNAL-MARK 10.96.0.1,tcp:1");
    prepare();

    EXPECT_EQ(read().sets[kInternalMark][member("10.96.0.1", 1)], 0U);
    must({proxy::AddSetEntry{kInternalMark, member("10.96.0.1", 1), kMark}});
    EXPECT_EQ(read().sets[kInternalMark][member("10.96.0.1", 1)], kMark);
}

// As a speaker leaves it that dies between swapping and destroying.
TEST_F(KernelTest, TheTemporarySetOfARunThatWasCutShortIsRemoved) {
    sh("ipset create KUBE-STEELYARD-NEW hash:ip,port && "
       "ipset add KUBE-STEELYARD-NEW 10.96.0.1,tcp:1 && "
       "ipset create KUBE-STEELYARD-NEWS hash:ip && ipset create MY-STEELYARD-NEW hash:ip");
    prepare();
    EXPECT_THAT(output_of("ipset list -n"), Not(HasSubstr("KUBE-STEELYARD-NEW\n")));
    EXPECT_THAT(output_of("ipset list -n"), HasSubstr("KUBE-STEELYARD-NEWS\n"));
    EXPECT_THAT(output_of("ipset list -n"), HasSubstr("MY-STEELYARD-NEW\n"));

    sh("ipset create KUBE-STEELYARD-NEW hash:ip,port");
    ASSERT_TRUE(wait(kernel_->remove()));
    EXPECT_EQ(output_of("ipset list -n | sort"), "KUBE-STEELYARD-NEWS\nMY-STEELYARD-NEW\n");
}

TEST_F(KernelTest, ASetOfAnotherTypeIsNamed) {
    sh("ipset create KUBE-CLUSTER-IP hash:ip");

    const auto prepared = wait(kernel_->prepare());

    ASSERT_FALSE(prepared);
    EXPECT_EQ(
        prepared.error().context,
        "ipset KUBE-CLUSTER-IP exists as hash:ip, must be hash:ip,port: destroy it"
    );
}

TEST_F(KernelTest, AMissingSchedulerIsNamed) {
    config_.scheduler = "nonesuch";
    make();

    const auto prepared = wait(kernel_->prepare());

    ASSERT_FALSE(prepared);
    EXPECT_EQ(
        prepared.error().context,
        "the kernel has no IPVS scheduler nonesuch: load the module ip_vs_nonesuch"
    );
}

TEST_F(KernelTest, SettingsAndTimeoutsAreWritten) {
    config_.tcp_timeout = std::chrono::seconds(1234);
    make();
    prepare();

    EXPECT_THAT(output_of("ipvsadm -l --timeout"), HasSubstr("1234 120 300"));
    EXPECT_EQ(output_of("cat /proc/sys/net/ipv4/vs/conntrack"), "1\n");
    EXPECT_EQ(output_of("cat /proc/sys/net/ipv4/vs/expire_nodest_conn"), "1\n");
    EXPECT_EQ(output_of("cat /proc/sys/net/ipv4/ip_forward"), "1\n");
}

TEST_F(KernelTest, ReadingAndRemovingCreateNothing) {
    EXPECT_EQ(read(), KernelTables());
    const auto nothing = wait(kernel_->remove());
    ASSERT_TRUE(nothing);
    EXPECT_THAT(*nothing, IsEmpty());
    EXPECT_EQ(output_of("ipset list -n"), "");
    EXPECT_THAT(output_of("ip link"), Not(HasSubstr("kube-ipvs0")));

    prepare();
    must({
        proxy::AddAddress{ip("10.96.0.10")},
        proxy::AddRoute{ip("10.96.0.11"), ip("172.16.0.1")},
        proxy::AddRoute{ip("fd96::11"), std::nullopt},
    });
    sh("ipset create FOREIGN hash:ip && ip route add local 192.0.2.9 dev lo table local");
    make();
    const auto removed = wait(kernel_->remove());

    ASSERT_TRUE(removed);
    EXPECT_THAT(*removed, testing::Contains("2 local routes"));
    EXPECT_THAT(*removed, testing::Contains("link kube-ipvs0"));
    EXPECT_THAT(*removed, testing::Contains("ipset KUBE-6-CLUSTER-IP"));
    EXPECT_EQ(output_of("ipset list -n"), "FOREIGN\n");
    EXPECT_EQ(
        output_of("ip route show table local proto 120; ip -6 route show table local proto 120"), ""
    );
    EXPECT_THAT(output_of("ip route show table local"), HasSubstr("192.0.2.9"));
}

TEST_F(KernelTest, OneVirtualServerIsReadByItself) {
    prepare();
    must({proxy::AddVirtualServer{kWeb, {}}, proxy::AddRealServer{kWeb, kPodA, 3}});

    const auto found = wait(kernel_->read_server(kWeb));
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->real_servers, (proxy::RealServers{{kPodA, 3}}));
    EXPECT_FALSE(wait(kernel_->read_server(kDns)).value().has_value());
    EXPECT_TRUE(wait(kernel_->has(kWeb)).value());
    EXPECT_FALSE(wait(kernel_->has(kDns)).value());
    EXPECT_FALSE(wait(kernel_->has(proxy::by_mark(kMark, Family::V4))).value());
}

TEST_F(KernelTest, ForeignServersAreLeftOut) {
    config_.exclude_cidrs = {net::Prefix::parse("198.51.100.0/24").value()};
    make();
    prepare();
    sh("ipvsadm -A -t 198.51.100.9:9 && ipvsadm -A -f 7 && ipvsadm -A -t 10.96.0.10:80");

    EXPECT_THAT(read().virtual_servers, SizeIs(1));

    config_.mode = proxy::Mode::LoadBalancer;
    make();
    prepare();
    EXPECT_THAT(read().virtual_servers, IsEmpty());
    must({proxy::AddRoute{ip("10.96.0.10"), std::nullopt}});
    EXPECT_THAT(read().virtual_servers, SizeIs(1));
}

conntrack::Lookup lookup(const KernelTables& tables) {
    conntrack::Lookup result;
    result.real_servers = [&tables](const VirtualServerKey& key) {
        const auto found = tables.virtual_servers.find(key);
        return found == tables.virtual_servers.end() ? nullptr : &found->second.real_servers;
    };
    result.marked = [](const conntrack::Lookup::OnMember&) {
    };
    return result;
}

TEST_F(KernelTest, UdpFlowsThatLeadNowhereAreDeleted) {
    const guest::Namespace pod("pod", "10.244.1.1/24", "10.244.1.2/24");
    const guest::Namespace client("client", "172.17.0.1/24", "172.17.0.100/24");
    prepare();
    sh("iptables-legacy -t nat -A POSTROUTING -o nowhere -j MASQUERADE");  // tracking on
    const auto send = [&client](std::string_view address, int port) {
        client.run([&] {
            sh("bash -c 'echo x > /dev/udp/" + std::string(address) + "/" + std::to_string(port) +
               "'");
        });
    };
    const Endpoint server = at("10.244.1.2", 53);
    must({
        proxy::AddVirtualServer{kDns, {}},
        proxy::AddRealServer{kDns, server, 1},
        proxy::AddAddress{kDns.endpoint.address},
    });
    send("10.96.0.10", 53);
    send("10.244.1.2", 53);  // not to a frontend
    const auto purge = [&](const KernelTables& tables) {
        return wait(kernel_->purge_flows(conntrack::Frontends::of(lookup(tables), {kDns})));
    };

    EXPECT_EQ(purge(read()).value(), 0U);
    KernelTables without = read();
    without.virtual_servers[kDns].real_servers = {};
    EXPECT_EQ(purge(without).value(), 1U);
    EXPECT_EQ(purge(without).value(), 0U);
}

}  // namespace
}  // namespace steelyard::dataplane
