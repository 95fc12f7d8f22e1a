#include "speaker/proxy/rules/testing/scene.hpp"
#include "speaker/proxy/rules/testing/tracer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

// Packets beside the matrix: to addresses and ports that no Service has, pings, packets of old
// connections, other people's marks.
namespace steelyard::proxy::oracle {
namespace {

using net::Family;
using net::IpAddress;

IpAddress ip(std::string_view text) {
    return IpAddress::parse(text).value();
}

class WalkTest : public testing::Test {
protected:
    WalkTest() { case_.endpoints_elsewhere = true; }

    std::vector<Ending> walk(Packet packet, bool is_new = true) {
        const ProxyConfig config =
            config_of(LocalDetection::Kind::ClusterCidr, true, case_.masquerade_all);
        const Tracer tracer(static_rules(config, Family::V4), Family::V4, "KUBE");
        return tracer.trace(host_of(case_, variant_, config), packet, is_new);
    }
    Packet packet() {
        const ProxyConfig config = config_of(LocalDetection::Kind::ClusterCidr, true, false);
        return packet_of(case_, variant_, host_of(case_, variant_, config));
    }
    Verdict verdict(const Packet& packet, bool is_new = true) {
        const auto endings = walk(packet, is_new);
        return endings.empty() ? Verdict::Dropped : endings.front().verdict;
    }

    Case case_;
    Variant variant_;
};

TEST_F(WalkTest, AnotherPortOfAVirtualAddressIsRefused) {
    for (const Client client : {Client::PodHere, Client::Node, Client::External}) {
        case_.client = client;
        for (const Frontend frontend :
             {Frontend::ClusterIp, Frontend::ExternalIp, Frontend::LoadBalancer}) {
            case_.frontend = frontend;
            Packet sent = packet();
            sent.destination.port = 22;
            EXPECT_EQ(verdict(sent), Verdict::Refused) << to_string(case_);
        }
    }
}

TEST_F(WalkTest, AnotherPortOfTheNodeIsTheHosts) {
    case_.frontend = Frontend::NodePort;
    for (const Client client : {Client::PodHere, Client::Node, Client::External}) {
        case_.client = client;
        Packet sent = packet();
        sent.destination.port = 22;
        EXPECT_EQ(verdict(sent), Verdict::Delivered) << to_string(case_);
    }
}

TEST_F(WalkTest, AClusterIpThatNoServiceHasIsRefused) {
    for (const Client client : {Client::PodHere, Client::Node, Client::External}) {
        case_.client = client;
        Packet sent = packet();
        sent.destination.address = ip("10.96.77.7");
        sent.source.address = client_address(case_, Family::V4);
        EXPECT_EQ(verdict(sent), Verdict::Refused) << to_string(case_);
        EXPECT_EQ(verdict(sent, false), Verdict::Forwarded) << to_string(case_);
    }
}

TEST_F(WalkTest, OtherTrafficPassesUntouched) {
    case_.client = Client::PodHere;
    Packet sent = packet();
    sent.destination = {ip("198.51.100.99"), 443};
    const auto endings = walk(sent);
    ASSERT_EQ(endings.size(), 1U);
    EXPECT_EQ(endings[0].verdict, Verdict::Forwarded);
    EXPECT_FALSE(endings[0].masqueraded);
}

TEST_F(WalkTest, MarksOfOthersArePassedOn) {
    case_.client = Client::PodHere;
    Packet sent = packet();
    sent.destination = {ip("198.51.100.99"), 443};
    sent.mark = 0x00a1;
    EXPECT_EQ(walk(sent)[0].mark, 0x00a1U);
}

TEST_F(WalkTest, AnOldConnectionOutlivesTheLastLocalEndpoint) {
    case_.external_local = true;
    case_.endpoints_here = false;
    case_.client = Client::External;
    case_.frontend = Frontend::LoadBalancer;
    EXPECT_EQ(verdict(packet()), Verdict::Dropped);
    // IPVS knows the connection; nothing before it stands in the way.
    EXPECT_EQ(verdict(packet(), false), Verdict::Refused);
}

TEST_F(WalkTest, OnlyWhatIsNewIsRefusedOnAVirtualAddress) {
    case_.client = Client::External;
    Packet sent = packet();
    sent.destination.port = 22;
    EXPECT_EQ(verdict(sent, false), Verdict::Delivered);
}

// IPVS finds its connections by their addresses and ports: a mark would change nothing.
TEST_F(WalkTest, PacketsOfAKnownConnectionArriveUnmarked) {
    variant_.affinity = true;
    variant_.endpoint_port = kPort;
    case_.client = Client::PodHere;
    ASSERT_NE(walk(packet()).at(0).server.mark, 0U);
    EXPECT_EQ(walk(packet(), false).at(0).server.mark, 0U);
}

TEST_F(WalkTest, WhatIpvsHasTranslatedIsHeldToNoRuleOfFrontends) {
    const ProxyConfig config = config_of(LocalDetection::Kind::ClusterCidr, true, false);
    Host host = host_of(case_, variant_, config);
    for (const IpAddress& address :
         {places(Family::V4).endpoint_here, places(Family::V4).endpoint_there}) {
        SetEntry entry;
        entry.ip = address;
        entry.port = variant_.endpoint_port;
        host.tables.sets[{SetName::LoadBalancerFw, Family::V4}].emplace(entry, 0);
    }
    const Tracer tracer(static_rules(config, Family::V4), Family::V4, "KUBE");
    for (const Ending& ending : tracer.trace(host, packet())) {
        EXPECT_EQ(ending.verdict, Verdict::Sent) << ending.log;
    }
}

TEST_F(WalkTest, SourceRangesHoldTheNodeWhateverDeviceItsSocketIsBoundTo) {
    const ProxyConfig config = config_of(LocalDetection::Kind::ClusterCidr, true, false);
    case_.client = Client::Node;
    case_.frontend = Frontend::LoadBalancer;
    Packet sent = packet();
    Host host = host_of(case_, variant_, config);
    SetEntry entry;
    entry.ip = sent.destination.address;
    entry.port = sent.destination.port;
    host.tables.sets[{SetName::LoadBalancerFw, Family::V4}].emplace(entry, 0);
    const Tracer tracer(static_rules(config, Family::V4), Family::V4, "KUBE");
    for (const char* device : {"", "eth0"}) {
        sent.out = device;
        const auto endings = tracer.trace(host, sent);
        ASSERT_EQ(endings.size(), 1U);
        EXPECT_EQ(endings[0].verdict, Verdict::Dropped) << endings[0].log;
    }
}

TEST_F(WalkTest, AffinityHoldsAcrossFrontendsWherePortsNeedNoTranslation) {
    variant_.affinity = true;
    variant_.endpoint_port = kPort;
    std::set<VirtualServerKey> servers;
    for (const Frontend frontend :
         {Frontend::ClusterIp, Frontend::ExternalIp, Frontend::LoadBalancer}) {
        case_.frontend = frontend;
        for (const Ending& ending : walk(packet())) {
            servers.insert(ending.server);
            EXPECT_EQ(ending.mark, 0U);
        }
    }
    EXPECT_EQ(servers.size(), 1U);
    EXPECT_NE(servers.begin()->mark, 0U);
}

TEST_F(WalkTest, AServicePortThatIsSomebodysNodePortKeepsTheClient) {
    case_.client = Client::PodHere;
    const ProxyConfig config = config_of(LocalDetection::Kind::ClusterCidr, true, false);
    Host host = host_of(case_, variant_, config);
    SetEntry port;
    port.port = kPort;
    host.tables.sets[{SetName::NodePortTcp, Family::V4}].emplace(port, 0);
    const Tracer tracer(static_rules(config, Family::V4), Family::V4, "KUBE");
    for (const Ending& ending : tracer.trace(host, packet_of(case_, variant_, host))) {
        EXPECT_FALSE(ending.masqueraded) << ending.log;
    }
}

}  // namespace
}  // namespace steelyard::proxy::oracle
