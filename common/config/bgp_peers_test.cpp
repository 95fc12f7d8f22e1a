#include "common/config/config_test_support.hpp"

#include <chrono>

namespace steelyard::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Object = kube::BgpPeer;

ParseResult parse_peers(std::vector<Object> peers) {
    Objects objects;
    objects.bgp_peers = std::move(peers);
    objects.bfd_profiles = {named<kube::BfdProfile>("fast")};
    return parse(objects);
}

// The only peer of the result; one without a name when the configuration is wrong.
BgpPeer only(const ParseResult& result) {
    EXPECT_THAT(texts(result.problems), IsEmpty());
    return result.config && result.config->bgp_peers.size() == 1 ? result.config->bgp_peers[0]
                                                                 : BgpPeer{};
}

BgpPeer refined(void (*refine)(Object&)) {
    Object object = bgp_peer("p");
    refine(object);
    return only(parse_peers({object}));
}

TEST(BgpPeerTest, WhatIsAbsentTakesItsDefault) {
    const BgpPeer peer = only(parse_peers({bgp_peer("p")}));

    BgpPeer expected;
    expected.name = "p";
    expected.local_asn = 64512;
    expected.remote_as = {RemoteAs::Kind::Exactly, 64513};
    expected.address = net::IpAddress::parse("192.0.2.1").value();
    EXPECT_EQ(peer, expected);
    EXPECT_EQ(peer.port, 179);
    EXPECT_EQ(peer.hold_time, 90s);
    EXPECT_EQ(peer.restart_time, 120s);
}

TEST(BgpPeerTest, EverythingWrittenIsTakenOver) {
    const BgpPeer peer = refined([](Object& object) {
        object.local_asn = 4200000000;
        object.peer_asn = 0;
        object.dynamic_asn = "external";
        object.peer_address = "2001:db8::1";
        object.source_address = "2001:db8::2";
        object.peer_port = 1179;
        object.hold_time = "1m30s";
        object.keepalive_time = "20s";
        object.connect_time = "10s";
        object.restart_time = "1h";
        object.router_id = "10.0.0.1";
        object.password = "secret";
        object.bfd_profile = "fast";
        object.enable_graceful_restart = true;
        object.vrf = "red";
        object.dual_stack_address_family = true;
        object.passive_mode = true;
        object.ttl_security_hops = 3;
        object.role = "rs-client";
        object.node_selectors = {label("rack", "1")};
    });

    EXPECT_EQ(peer.local_asn, 4200000000);
    EXPECT_EQ(peer.remote_as.kind, RemoteAs::Kind::External);
    EXPECT_EQ(to_string(*peer.address), "2001:db8::1");
    EXPECT_EQ(to_string(*peer.source), "2001:db8::2");
    EXPECT_EQ(peer.port, 1179);
    EXPECT_EQ(peer.hold_time, 90s);
    EXPECT_EQ(peer.keepalive_time, 20s);
    EXPECT_EQ(peer.connect_time, 10s);
    EXPECT_EQ(peer.restart_time, 3600s);
    EXPECT_EQ(peer.router_id, 0x0A000001U);
    EXPECT_EQ(peer.password, "secret");
    EXPECT_EQ(peer.bfd_profile, "fast");
    EXPECT_TRUE(peer.graceful_restart && peer.dual_stack && peer.passive);
    EXPECT_EQ(peer.vrf, "red");
    EXPECT_EQ(peer.ttl_security_hops, 3);
    EXPECT_EQ(peer.role, BgpRole::RouteServerClient);
    EXPECT_THAT(peer.node_selectors, SizeIs(1));
}

TEST(BgpPeerTest, OneTimerGivesTheOther) {
    struct Row {
        const char* hold;
        const char* keepalive;
        std::chrono::seconds expected_hold;
        std::optional<std::chrono::seconds> expected_keepalive;
    };
    for (const Row& row : {
             Row{"", "", 90s, std::nullopt},
             Row{"30s", "", 30s, std::nullopt},
             Row{"", "30s", 90s, 30s},
             Row{"", "0", 0s, std::nullopt},
             Row{"0s", "0s", 0s, std::nullopt},
             Row{"0", "", 0s, std::nullopt},
             Row{"9s", "9s", 9s, 9s},
             Row{"9s", "0s", 9s, std::nullopt},
             Row{"3.9s", "1500ms", 3s, 1s},
         }) {
        Object object = bgp_peer("p");
        object.hold_time = row.hold;
        object.keepalive_time = row.keepalive;
        const BgpPeer peer = only(parse_peers({object}));
        EXPECT_EQ(peer.hold_time, row.expected_hold) << row.hold << " " << row.keepalive;
        EXPECT_EQ(peer.keepalive_time, row.expected_keepalive) << row.hold << " " << row.keepalive;
    }
}

TEST(BgpPeerTest, UnnumberedPeersHaveAnInterfaceAndNoAddress) {
    const BgpPeer peer = refined([](Object& object) {
        object.peer_address = "";
        object.interface = "eth1";
        object.ebgp_multi_hop = true;
    });

    EXPECT_EQ(peer.interface, "eth1");
    EXPECT_FALSE(peer.address);
    EXPECT_FALSE(peer.multihop);
}

TEST(BgpPeerTest, SecurityHopsBeyondOneMeanMultihopForExternalPeersOnly) {
    EXPECT_TRUE(refined([](Object& object) { object.ttl_security_hops = 2; }).multihop);
    EXPECT_FALSE(refined([](Object& object) { object.ttl_security_hops = 1; }).multihop);
    EXPECT_FALSE(refined([](Object& object) {
                     object.ttl_security_hops = 2;
                     object.peer_asn = 64512;
                 }).multihop);
}

TEST(BgpPeerTest, LocalAsnDecidesWhatIsExternal) {
    const BgpPeer peer = refined([](Object& object) {
        object.peer_asn = 64512;
        object.local_asn = 64999;
        object.ebgp_multi_hop = true;
    });
    EXPECT_TRUE(peer.multihop);
}

struct Bad {
    const char* name;
    void (*spoil)(Object&);
    const char* field;
    const char* text;  // in the problem
};

class BadBgpPeerTest : public testing::TestWithParam<Bad> {};

TEST_P(BadBgpPeerTest, IsRefusedNamingTheField) {
    Object object = bgp_peer("p");
    GetParam().spoil(object);

    const ParseResult result = parse_peers({object});

    EXPECT_FALSE(result.config);
    ASSERT_THAT(texts(result.problems), SizeIs(1));
    EXPECT_EQ(result.problems[0].kind, Kind::BgpPeer);
    EXPECT_EQ(result.problems[0].field, GetParam().field);
    EXPECT_THAT(to_string(result.problems[0]), HasSubstr(GetParam().text));
}

std::vector<Bad> bad_peers() {
    return {
        {"my_asn_0", [](Object& o) { o.my_asn = 0; }, "spec.myASN", "give 1 to 4294967295"},
        {"my_asn_big", [](Object& o) { o.my_asn = 4294967296; }, "spec.myASN", "4294967296"},
        {"local_asn_0", [](Object& o) { o.local_asn = 0; }, "spec.localASN", "\"0\""},
        {"no_peer_asn", [](Object& o) { o.peer_asn = 0; }, "spec.peerASN", "exactly one"},
        {"two_peer_asns", [](Object& o) { o.dynamic_asn = "internal"; }, "spec.peerASN", "64513"},
        {"peer_asn_negative", [](Object& o) { o.peer_asn = -1; }, "spec.peerASN", "\"-1\""},
        {"dynamic_asn",
         [](Object& o) {
             o.peer_asn = 0;
             o.dynamic_asn = "any";
         },
         "spec.dynamicASN",
         "give internal or external"},
        {"no_address", [](Object& o) { o.peer_address = ""; }, "spec.peerAddress", "exactly one"},
        {"two_addresses", [](Object& o) { o.interface = "eth0"; }, "spec.peerAddress", "exactly"},
        {"host_name", [](Object& o) { o.peer_address = "tor1"; }, "spec.peerAddress", "\"tor1\""},
        {"multicast", [](Object& o) { o.peer_address = "ff02::1"; }, "spec.peerAddress", "machine"},
        {"unspecified", [](Object& o) { o.peer_address = "::"; }, "spec.peerAddress", "machine"},
        {"link_local",
         [](Object& o) { o.peer_address = "fe80::1"; },
         "spec.peerAddress",
         "give interface instead"},
        {"interface",
         [](Object& o) {
             o.peer_address = "";
             o.interface = "a-name-too-long-for-linux";
         },
         "spec.interface",
         "15 characters"},
        {"source", [](Object& o) { o.source_address = "x"; }, "spec.sourceAddress", "IPv4"},
        {"source_of_other_family",
         [](Object& o) { o.source_address = "fd00::1"; },
         "spec.sourceAddress",
         "give the IPv4 address"},
        {"router_id", [](Object& o) { o.router_id = "fd00::1"; }, "spec.routerID", "IPv4"},
        {"router_id_0", [](Object& o) { o.router_id = "0.0.0.0"; }, "spec.routerID", "0.0.0.0"},
        {"port", [](Object& o) { o.peer_port = 65536; }, "spec.peerPort", "give 1 to 65535"},
        {"port_negative", [](Object& o) { o.peer_port = -1; }, "spec.peerPort", "\"-1\""},
        {"hold_2s", [](Object& o) { o.hold_time = "2s"; }, "spec.holdTime", "3s to 65535s"},
        {"hold_half_a_second", [](Object& o) { o.hold_time = "500ms"; }, "spec.holdTime", "500ms"},
        {"hold_without_unit", [](Object& o) { o.hold_time = "90"; }, "spec.holdTime", "\"90\""},
        {"hold_a_day", [](Object& o) { o.hold_time = "24h"; }, "spec.holdTime", "65535s"},
        {"keepalive_text", [](Object& o) { o.keepalive_time = "x"; }, "spec.keepaliveTime", "1m30"},
        {"keepalive_small",
         [](Object& o) { o.keepalive_time = "10ms"; },
         "spec.keepaliveTime",
         "at least 1s"},
        {"keepalive_above_hold",
         [](Object& o) {
             o.hold_time = "30s";
             o.keepalive_time = "31s";
         },
         "spec.keepaliveTime",
         "at most the hold time, 30s"},
        {"keepalive_alone_too_long",
         [](Object& o) { o.keepalive_time = "6h4m6s"; },
         "spec.keepaliveTime",
         "21845s"},
        {"connect_0", [](Object& o) { o.connect_time = "0s"; }, "spec.connectTime", "1s to 65535s"},
        {"connect_part", [](Object& o) { o.connect_time = "1.5s"; }, "spec.connectTime", "whole"},
        {"restart", [](Object& o) { o.restart_time = "4096s"; }, "spec.restartTime", "4095s"},
        {"multihop_internal",
         [](Object& o) {
             o.peer_asn = 64512;
             o.ebgp_multi_hop = true;
         },
         "spec.ebgpMultiHop",
         "another AS"},
        {"hops_0", [](Object& o) { o.ttl_security_hops = 0; }, "spec.ttlSecurityHops", "1 to 254"},
        {"hops_and_multihop",
         [](Object& o) {
             o.ebgp_multi_hop = true;
             o.ttl_security_hops = 1;
         },
         "spec.ttlSecurityHops",
         "2 hops away or more"},
        {"hops_and_interface",
         [](Object& o) {
             o.peer_address = "";
             o.interface = "eth0";
             o.ttl_security_hops = 2;
         },
         "spec.ttlSecurityHops",
         "1 hop away"},
        {"role", [](Object& o) { o.role = "boss"; }, "spec.role", "rs-server"},
        {"role_internal",
         [](Object& o) {
             o.peer_asn = 64512;
             o.role = "peer";
         },
         "spec.role",
         "another AS"},
        {"long_password",
         [](Object& o) { o.password = std::string(81, 'x'); },
         "spec.password",
         "\"(81 bytes)\": TCP MD5 takes passwords of at most 80 bytes"},
        {"two_passwords",
         [](Object& o) {
             o.password = "x";
             o.password_secret = "s";
         },
         "spec.passwordSecret.name",
         "only one"},
        {"no_profile",
         [](Object& o) { o.bfd_profile = "slow"; },
         "spec.bfdProfile",
         "\"slow\": there is no BFDProfile of this name"},
        {"vrf", [](Object& o) { o.vrf = "a/b"; }, "spec.vrf", "15 characters"},
        {"selector_twice",
         [](Object& o) {
             o.node_selectors = {label("a", "b"), label("a", "b")};
         },
         "spec.nodeSelectors[1]",
         "each selector once"},
    };
}

INSTANTIATE_TEST_SUITE_P(
    Config,
    BadBgpPeerTest,
    testing::ValuesIn(bad_peers()),
    [](const auto& param) { return param.param.name; }
);

kube::Secret secret(std::string name, std::string_view type, std::optional<std::string> password) {
    auto object = named<kube::Secret>(std::move(name));
    object.type = type;
    object.password = std::move(password);
    return object;
}

ParseResult parse_with_secrets(std::optional<std::vector<kube::Secret>> secrets) {
    Objects objects;
    objects.bgp_peers = {bgp_peer("p")};
    objects.bgp_peers[0].password_secret = "s";
    objects.secrets = std::move(secrets);
    return parse(objects);
}

TEST(BgpPeerSecretTest, ThePasswordComesFromTheSecret) {
    const auto result = parse_with_secrets({{secret("s", kube::kBasicAuth, "top secret")}});

    EXPECT_EQ(only(result).password, "top secret");
}

TEST(BgpPeerSecretTest, WhoKnowsNoSecretsJudgesNone) {
    EXPECT_EQ(only(parse_with_secrets(std::nullopt)).password, "");
}

// Or its session would go on without a password.
TEST(BgpPeerSecretTest, ASpeakerThatMayNotReadSecretsHasAProblem) {
    Objects objects;
    objects.bgp_peers = {bgp_peer("p")};
    objects.bgp_peers[0].password_secret = "s";
    objects.scope = Scope{"a", {}};
    const auto result = parse(objects);

    EXPECT_THAT(texts(result.problems), ElementsAre(HasSubstr("may not read Secrets")));
    ASSERT_TRUE(result.partial);
    EXPECT_THAT(result.partial->bgp_peers, IsEmpty());
}

TEST(BgpPeerSecretTest, AnUnusableSecretIsOneLine) {
    struct Row {
        std::vector<kube::Secret> secrets;
        const char* text;
    };
    const std::string too_long(81, 'x');
    for (const Row& row : {
             Row{{}, "no Secret of this name and type kubernetes.io/basic-auth"},
             Row{{secret("s", "Opaque", std::nullopt)}, "the Secret has type Opaque"},
             Row{{secret("s", kube::kBasicAuth, std::nullopt)}, "under the key password"},
             Row{{secret("s", kube::kBasicAuth, "")}, "under the key password"},
             Row{{secret("s", kube::kBasicAuth, too_long)}, "(81 bytes)"},
         }) {
        const auto result = parse_with_secrets(row.secrets);
        ASSERT_THAT(texts(result.problems), ElementsAre(HasSubstr(row.text)));
        EXPECT_EQ(result.problems[0].field, "spec.passwordSecret.name");
        EXPECT_THAT(to_string(result.problems[0]), Not(HasSubstr("xxx")));
    }
}

TEST(BgpPeerDuplicateTest, SameAddressPortAndVrfOnOneNodeIsOnePeer) {
    const auto result = parse_peers({bgp_peer("a"), bgp_peer("b")});

    EXPECT_THAT(
        texts(result.problems),
        ElementsAre("BGPPeer metallb-system/b: spec.peerAddress: \"192.0.2.1\": one BGPPeer on a "
                    "node for the same address, port and VRF, and BGPPeer metallb-system/a has "
                    "them too")
    );
}

TEST(BgpPeerDuplicateTest, PortVrfOrAddressTellPeersApart) {
    Object other_port = bgp_peer("b");
    other_port.peer_port = 1179;
    Object other_vrf = bgp_peer("c");
    other_vrf.vrf = "red";
    Object other_identity = bgp_peer("d", "192.0.2.2");
    other_identity.my_asn = 64999;
    other_identity.router_id = "10.9.9.9";

    EXPECT_TRUE(parse_peers({bgp_peer("a"), other_port, other_vrf, other_identity}).config);
}

TEST(BgpPeerDuplicateTest, AnInterfaceIsAPlaceToo) {
    Object a = bgp_peer("a", "");
    a.interface = "eth0";
    Object b = a;
    b.meta.key.name = "b";

    const auto result = parse_peers({a, b});

    ASSERT_THAT(result.problems, SizeIs(1));
    EXPECT_EQ(result.problems[0].field, "spec.interface");
}

TEST(BgpPeerDuplicateTest, WithoutANodeOnlyACommonSelectorProvesIt) {
    Object a = bgp_peer("a");
    a.node_selectors = {label("rack", "1"), label("rack", "2")};
    Object b = bgp_peer("b");
    b.node_selectors = {label("rack", "3")};
    EXPECT_TRUE(parse_peers({a, b}).config);

    b.node_selectors = {label("rack", "2")};
    EXPECT_FALSE(parse_peers({a, b}).config);
}

TEST(BgpPeerDuplicateTest, OnItsNodeASpeakerKnows) {
    Objects objects;
    objects.bgp_peers = {bgp_peer("a"), bgp_peer("b")};
    objects.bgp_peers[0].node_selectors = {label("rack", "1")};
    objects.bgp_peers[1].node_selectors = {label("role", "edge")};

    objects.scope = Scope{"n", {{"rack", "1"}}};
    EXPECT_TRUE(parse(objects).config);

    objects.scope = Scope{"n", {{"rack", "1"}, {"role", "edge"}}};
    EXPECT_FALSE(parse(objects).config);
}

TEST(BgpPeerScopeTest, PeersOfOtherNodesAreNotJudgedAndNotKept) {
    Objects objects;
    objects.bgp_peers = {bgp_peer("here"), bgp_peer("wrong", "nonsense")};
    objects.bgp_peers[1].node_selectors = {label("rack", "2")};
    objects.scope = Scope{"n", {{"rack", "1"}}};

    EXPECT_EQ(only(parse(objects)).name, "here");

    objects.scope->labels["rack"] = "2";
    EXPECT_THAT(parse(objects).problems, SizeIs(1));
}

TEST(BfdProfileTest, WhatIsAbsentTakesItsDefault) {
    Objects objects;
    objects.bfd_profiles = {named<kube::BfdProfile>("b"), named<kube::BfdProfile>("a")};
    objects.bfd_profiles[0].receive_interval = 50;
    objects.bfd_profiles[0].transmit_interval = 10;
    objects.bfd_profiles[0].echo_interval = 60'000;
    objects.bfd_profiles[0].detect_multiplier = 255;
    objects.bfd_profiles[0].minimum_ttl = 1;
    objects.bfd_profiles[0].echo_mode = true;
    objects.bfd_profiles[0].passive_mode = true;

    const ParseResult result = parse(objects);

    ASSERT_TRUE(result.config);
    EXPECT_EQ(
        *result.config->find_bfd_profile("a"),
        (BfdProfile{"a", 300ms, 300ms, 3, false, 50ms, false, 254})
    );
    EXPECT_EQ(
        *result.config->find_bfd_profile("b"),
        (BfdProfile{"b", 50ms, 10ms, 255, true, 60s, true, 1})
    );
    EXPECT_EQ(result.config->find_bfd_profile("c"), nullptr);
}

TEST(BfdProfileTest, EachFieldHasItsRange) {
    using Profile = kube::BfdProfile;
    struct Row {
        void (*spoil)(Profile&);
        const char* field;
    };
    for (const Row& row : {
             Row{[](Profile& p) { p.receive_interval = 9; }, "spec.receiveInterval"},
             Row{[](Profile& p) { p.transmit_interval = 60'001; }, "spec.transmitInterval"},
             Row{[](Profile& p) { p.echo_interval = -1; }, "spec.echoInterval"},
             Row{[](Profile& p) { p.detect_multiplier = 1; }, "spec.detectMultiplier"},
             Row{[](Profile& p) { p.detect_multiplier = 256; }, "spec.detectMultiplier"},
             Row{[](Profile& p) { p.minimum_ttl = 255; }, "spec.minimumTtl"},
         }) {
        Objects objects;
        objects.bfd_profiles = {named<Profile>("p")};
        row.spoil(objects.bfd_profiles[0]);
        const ParseResult result = parse(objects);
        ASSERT_THAT(result.problems, SizeIs(1)) << row.field;
        EXPECT_EQ(result.problems[0].field, row.field);
        EXPECT_EQ(result.problems[0].kind, Kind::BfdProfile);
    }
}

}  // namespace
}  // namespace steelyard::config
