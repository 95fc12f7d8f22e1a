#include "common/kube/model/encode.hpp"
#include "common/kube/model/resource.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace steelyard::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

nlohmann::json json(const char* text) {
    return nlohmann::json::parse(text);
}

TEST(DecodeBgpPeerTest, EveryFieldWeReadIsRead) {
    const auto decoded = decode_bgp_peer(json(R"({"metadata":{"name":"tor","namespace":"m"},
        "spec":{"myASN":64512,"peerASN":4200000000,"dynamicASN":"external","localASN":64999,
        "peerAddress":"192.0.2.1","interface":"eth1","sourceAddress":"192.0.2.2","peerPort":1179,
        "holdTime":"1m30s","keepaliveTime":"30s","connectTime":"10s","restartTime":"60s",
        "routerID":"10.0.0.1","nodeSelectors":[{"matchLabels":{"rack":"1"}}],"password":"pw",
        "passwordSecret":{"name":"s","namespace":"elsewhere"},"bfdProfile":"fast",
        "enableGracefulRestart":true,"ebgpMultiHop":true,"vrf":"red","disableMP":true,
        "dualStackAddressFamily":true,"passiveMode":true,"ttlSecurityHops":2,"role":"customer"}})")
    );
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    const BgpPeer& peer = *decoded;
    EXPECT_EQ(to_string(peer.meta.key), "m/tor");
    EXPECT_EQ(peer.my_asn, 64512);
    EXPECT_EQ(peer.peer_asn, 4200000000);
    EXPECT_EQ(peer.dynamic_asn, "external");
    EXPECT_EQ(peer.local_asn, 64999);
    EXPECT_EQ(peer.peer_address, "192.0.2.1");
    EXPECT_EQ(peer.interface, "eth1");
    EXPECT_EQ(peer.source_address, "192.0.2.2");
    EXPECT_EQ(peer.peer_port, 1179);
    EXPECT_EQ(peer.hold_time, "1m30s");
    EXPECT_EQ(peer.keepalive_time, "30s");
    EXPECT_EQ(peer.connect_time, "10s");
    EXPECT_EQ(peer.restart_time, "60s");
    EXPECT_EQ(peer.router_id, "10.0.0.1");
    EXPECT_THAT(peer.node_selectors, SizeIs(1));
    EXPECT_EQ(peer.password, "pw");
    EXPECT_EQ(peer.password_secret, "s");
    EXPECT_EQ(peer.bfd_profile, "fast");
    EXPECT_TRUE(peer.enable_graceful_restart && peer.ebgp_multi_hop);
    EXPECT_EQ(peer.vrf, "red");
    EXPECT_TRUE(peer.dual_stack_address_family && peer.passive_mode);
    EXPECT_EQ(peer.ttl_security_hops, 2);
    EXPECT_EQ(peer.role, "customer");
}

TEST(DecodeBgpPeerTest, WhatTheUserGotWrongIsReadAsWritten) {
    const auto decoded = decode_bgp_peer(json(R"({"metadata":{"name":"p"},"spec":{"myASN":-1,
        "peerPort":99999,"peerAddress":"x","holdTime":"soon","role":"boss","ttlSecurityHops":0,
        "somethingNew":{"a":[1]}}})"));
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    EXPECT_EQ(decoded->my_asn, -1);
    EXPECT_EQ(decoded->peer_port, 99999);
    EXPECT_EQ(decoded->role, "boss");
    EXPECT_EQ(decoded->ttl_security_hops, 0);
}

TEST(DecodeBgpPeerTest, AnErrorDoesNotShowThePassword) {
    const auto decoded =
        decode_bgp_peer(json(R"({"metadata":{"name":"p"},"spec":{"password":12345}})"));

    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().context, "BGPPeer p: spec.password: the value is not a string");
}

TEST(DecodeBgpPeerTest, AnEmptyPeerIsOne) {
    const auto decoded =
        decode_bgp_peer(json(R"({"metadata":{"name":"p"},"spec":{"passwordSecret":null}})"));
    ASSERT_TRUE(decoded);
    BgpPeer expected;
    expected.meta.key.name = "p";
    EXPECT_EQ(*decoded, expected);
}

TEST(DecodeBgpAdvertisementTest, EveryFieldWeReadIsRead) {
    const auto decoded = decode_bgp_advertisement(json(R"({"metadata":{"name":"a"},"spec":{
        "aggregationLength":24,"aggregationLengthV6":64,"localPref":4294967295,
        "communities":["1:1","alias"],"ipAddressPools":["p"],
        "ipAddressPoolSelectors":[{"matchLabels":{"a":"b"}}],"nodeSelectors":[{}],"peers":["t"],
        "serviceSelectors":[{}],"med":0,"asPathPrepend":3,"linkBandwidth":true}})"));
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    EXPECT_EQ(decoded->aggregation_length, 24);
    EXPECT_EQ(decoded->aggregation_length_v6, 64);
    EXPECT_EQ(decoded->local_pref, 4294967295);
    EXPECT_THAT(decoded->communities, ElementsAre("1:1", "alias"));
    EXPECT_THAT(decoded->ip_address_pools, ElementsAre("p"));
    EXPECT_THAT(decoded->ip_address_pool_selectors, SizeIs(1));
    EXPECT_THAT(decoded->node_selectors, SizeIs(1));
    EXPECT_THAT(decoded->peers, ElementsAre("t"));
    EXPECT_THAT(decoded->service_selectors, SizeIs(1));
    EXPECT_EQ(decoded->med, 0);
    EXPECT_EQ(decoded->as_path_prepend, 3);
    EXPECT_TRUE(decoded->link_bandwidth);
}

TEST(DecodeBgpAdvertisementTest, WithoutSpecEverythingIsAbsent) {
    const auto decoded = decode_bgp_advertisement(json(R"({"metadata":{"name":"a"}})"));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->aggregation_length, std::nullopt);
    EXPECT_EQ(decoded->med, std::nullopt);
}

TEST(DecodeCommunityTest, AliasesStayText) {
    const auto decoded = decode_community(json(R"({"metadata":{"name":"c"},"spec":{
        "communities":[{"name":"x","value":"1:1"},{"name":"y","value":"?"}]}})"));
    ASSERT_TRUE(decoded);
    EXPECT_THAT(
        decoded->communities, ElementsAre(Community::Alias{"x", "1:1"}, Community::Alias{"y", "?"})
    );
}

TEST(DecodeBfdProfileTest, EveryFieldWeReadIsRead) {
    const auto decoded = decode_bfd_profile(json(R"({"metadata":{"name":"f"},"spec":{
        "receiveInterval":50,"transmitInterval":60,"detectMultiplier":5,"echoInterval":70,
        "echoMode":true,"passiveMode":true,"minimumTtl":250}})"));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->receive_interval, 50);
    EXPECT_EQ(decoded->transmit_interval, 60);
    EXPECT_EQ(decoded->detect_multiplier, 5);
    EXPECT_EQ(decoded->echo_interval, 70);
    EXPECT_TRUE(decoded->echo_mode && decoded->passive_mode);
    EXPECT_EQ(decoded->minimum_ttl, 250);
}

TEST(DecodeSecretTest, OnlyTypeAndPasswordAreKept) {
    const auto decoded = decode_secret(json(R"({"metadata":{"name":"s","namespace":"m",
        "annotations":{"kubectl.kubernetes.io/last-applied-configuration":"all of it"}},
        "type":"kubernetes.io/basic-auth","data":{"password":"czNjcmV0","username":"dQ=="}})"));
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    EXPECT_EQ(decoded->type, kBasicAuth);
    EXPECT_EQ(decoded->password, "s3cret");
    EXPECT_THAT(decoded->meta.annotations, IsEmpty());
}

TEST(DecodeSecretTest, SecretsOfOtherTypesGiveNothingAway) {
    const auto decoded = decode_secret(
        json(R"({"metadata":{"name":"s"},"type":"Opaque","data":{"password":"czNjcmV0"}})")
    );
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->password, std::nullopt);
}

TEST(DecodeSecretTest, AnErrorDoesNotShowTheValue) {
    const auto decoded = decode_secret(json(R"({"metadata":{"name":"s"},
        "type":"kubernetes.io/basic-auth","data":{"password":"hunter2!"}})"));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().context, "Secret s: data.password: the value is not base 64 text");
    EXPECT_THAT(decoded.error().context, Not(HasSubstr("hunter2")));
}

TEST(DecodeKindsTest, AWrongTypeIsOneLineNamingTheField) {
    const auto peer = decode_bgp_peer(json(R"({"metadata":{"name":"p"},"spec":{"myASN":"1"}})"));
    ASSERT_FALSE(peer);
    EXPECT_THAT(peer.error().context, HasSubstr("BGPPeer p: spec.myASN: \"1\" is not an integer"));
    const auto profile = decode_bfd_profile(json(R"({"metadata":{"name":"f"},"spec":[]})"));
    ASSERT_FALSE(profile);
    EXPECT_EQ(profile.error().context, "BFDProfile f: spec: an array is not an object");
}

ServiceBgpStatus service_status() {
    ServiceBgpStatus status;
    status.meta.key = {"metallb-system", "bgp-x"};
    status.meta.labels["metallb.io/node"] = "n";
    status.owner = {"speaker-1", "uid-1"};
    status.node = "n";
    status.service = {"default", "web"};
    status.peers = {"tor-1", "tor-2"};
    return status;
}

BgpSessionState session_state() {
    BgpSessionState state;
    state.meta.key = {"metallb-system", "n-tor"};
    state.meta.labels["steelyard.io/peer"] = "tor";
    state.owner = {"speaker-1", "uid-1"};
    state.node = "n";
    state.peer = "tor";
    state.address = "192.0.2.1";
    state.bgp = "Active";
    state.bfd = "Down";
    state.reason = "Unreachable";
    state.message = "no answer";
    state.since = parse_rfc3339("2026-01-02T03:04:05Z");
    state.sent_ipv4 = 10;
    state.sent_ipv6 = 20;
    state.remote_asn = 4200000000;
    state.restarts = 3;
    return state;
}

TEST(ServiceBgpStatusTest, ObjectAndPatchesTogetherReadBackTheSame) {
    const ServiceBgpStatus status = service_status();
    nlohmann::json object = encode_object(status);
    EXPECT_EQ(object["apiVersion"], "metallb.io/v1beta1");
    EXPECT_EQ(object["kind"], "ServiceBGPStatus");
    EXPECT_FALSE(object.contains("status"));

    object.merge_patch(status_patch(status));

    EXPECT_EQ(decode_service_bgp_status(object).value(), status);
}

TEST(ServiceBgpStatusTest, PatchesClearWhatIsGone) {
    nlohmann::json object = encode_object(service_status());
    object.merge_patch(status_patch(service_status()));
    ServiceBgpStatus next = service_status();
    next.peers.clear();
    next.owner = {"speaker-2", "uid-2"};

    object.merge_patch(status_patch(next));
    object.merge_patch(metadata_patch(next));

    EXPECT_EQ(decode_service_bgp_status(object).value(), next);
    EXPECT_FALSE(object["status"].contains("peers"));
}

TEST(BgpSessionStateTest, ObjectAndPatchesTogetherReadBackTheSame) {
    const BgpSessionState state = session_state();
    nlohmann::json object = encode_object(state);
    EXPECT_EQ(object["apiVersion"], "steelyard.io/v1alpha1");
    EXPECT_EQ(object["kind"], "BGPSessionState");

    object.merge_patch(status_patch(state));

    EXPECT_EQ(object["status"]["since"], "2026-01-02T03:04:05Z");
    EXPECT_EQ(decode_bgp_session_state(object).value(), state);
}

TEST(BgpSessionStateTest, PatchesClearWhatIsGone) {
    nlohmann::json object = encode_object(session_state());
    object.merge_patch(status_patch(session_state()));
    BgpSessionState next = session_state();
    next.address.clear();
    next.bgp = "Idle";
    next.reason.clear();
    next.message.clear();
    next.since.reset();
    next.sent_ipv4 = 0;
    next.remote_asn = 0;

    object.merge_patch(status_patch(next));

    EXPECT_EQ(decode_bgp_session_state(object).value(), next);
    for (const char* gone : {"address", "reason", "message", "since", "remoteASN"}) {
        EXPECT_FALSE(object["status"].contains(gone)) << gone;
    }
    EXPECT_EQ(object["status"]["sentIPv4"], 0);
}

TEST(BgpSessionStateTest, AStateThatIsNotWrittenYetIsEmpty) {
    const auto state = decode_bgp_session_state(json(R"({"metadata":{"name":"x"}})"));
    ASSERT_TRUE(state);
    EXPECT_EQ(state->bgp, "");
    EXPECT_EQ(state->since, std::nullopt);
}

}  // namespace
}  // namespace steelyard::kube
