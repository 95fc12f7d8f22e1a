#include "common/kube/model/bgp.hpp"

#include "common/kube/model/field.hpp"
#include "common/kube/model/resource.hpp"

#include <limits>

// metallb.io kinds about BGP. Whether the values are in range and fit together is the business of
// the room common/config: here a number only has to be one.
namespace steelyard::kube {
namespace {

std::optional<std::int64_t> number(const Field& field) {
    return field.integer(
        std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()
    );
}

void decode_timers(const Field& spec, BgpPeer& peer) {
    peer.hold_time = spec["holdTime"].text();
    peer.keepalive_time = spec["keepaliveTime"].text();
    peer.connect_time = spec["connectTime"].text();
    peer.restart_time = spec["restartTime"].text();
}

}  // namespace

Result<BgpPeer> decode_bgp_peer(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    BgpPeer peer;
    peer.meta = decode_meta(root);
    const Field spec = root["spec"];
    peer.my_asn = number(spec["myASN"]).value_or(0);
    peer.peer_asn = number(spec["peerASN"]).value_or(0);
    peer.dynamic_asn = spec["dynamicASN"].text();
    peer.local_asn = number(spec["localASN"]);
    peer.peer_address = spec["peerAddress"].text();
    peer.interface = spec["interface"].text();
    peer.source_address = spec["sourceAddress"].text();
    peer.peer_port = number(spec["peerPort"]).value_or(0);
    decode_timers(spec, peer);
    peer.router_id = spec["routerID"].text();
    peer.node_selectors = spec["nodeSelectors"].selectors();
    peer.password = spec["password"].secret_text();
    peer.password_secret = spec["passwordSecret"]["name"].text();
    peer.bfd_profile = spec["bfdProfile"].text();
    peer.enable_graceful_restart = spec["enableGracefulRestart"].boolean(false);
    peer.ebgp_multi_hop = spec["ebgpMultiHop"].boolean(false);
    peer.vrf = spec["vrf"].text();
    peer.dual_stack_address_family = spec["dualStackAddressFamily"].boolean(false);
    peer.passive_mode = spec["passiveMode"].boolean(false);
    peer.ttl_security_hops = number(spec["ttlSecurityHops"]);
    peer.role = spec["role"].text();
    if (problem.any()) {
        return decode_error("BGPPeer", object, problem);
    }
    return peer;
}

Result<BgpAdvertisement> decode_bgp_advertisement(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    BgpAdvertisement advertisement;
    advertisement.meta = decode_meta(root);
    const Field spec = root["spec"];
    advertisement.aggregation_length = number(spec["aggregationLength"]);
    advertisement.aggregation_length_v6 = number(spec["aggregationLengthV6"]);
    advertisement.local_pref = number(spec["localPref"]).value_or(0);
    advertisement.communities = spec["communities"].texts();
    advertisement.ip_address_pools = spec["ipAddressPools"].texts();
    advertisement.ip_address_pool_selectors = spec["ipAddressPoolSelectors"].selectors();
    advertisement.node_selectors = spec["nodeSelectors"].selectors();
    advertisement.peers = spec["peers"].texts();
    advertisement.service_selectors = spec["serviceSelectors"].selectors();
    advertisement.med = number(spec["med"]);
    advertisement.as_path_prepend = number(spec["asPathPrepend"]);
    advertisement.link_bandwidth = spec["linkBandwidth"].boolean(false);
    if (problem.any()) {
        return decode_error("BGPAdvertisement", object, problem);
    }
    return advertisement;
}

Result<Community> decode_community(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    Community community;
    community.meta = decode_meta(root);
    for (const Field& item : root["spec"]["communities"].items()) {
        community.communities.push_back({item["name"].text(), item["value"].text()});
    }
    if (problem.any()) {
        return decode_error("Community", object, problem);
    }
    return community;
}

Result<BfdProfile> decode_bfd_profile(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    BfdProfile profile;
    profile.meta = decode_meta(root);
    const Field spec = root["spec"];
    profile.receive_interval = number(spec["receiveInterval"]);
    profile.transmit_interval = number(spec["transmitInterval"]);
    profile.detect_multiplier = number(spec["detectMultiplier"]);
    profile.echo_interval = number(spec["echoInterval"]);
    profile.echo_mode = spec["echoMode"].boolean(false);
    profile.passive_mode = spec["passiveMode"].boolean(false);
    profile.minimum_ttl = number(spec["minimumTtl"]);
    if (problem.any()) {
        return decode_error("BFDProfile", object, problem);
    }
    return profile;
}

Result<Secret> decode_secret(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    Secret secret;
    secret.meta = decode_meta(root);
    secret.meta.annotations.clear();
    secret.type = root["type"].text();
    if (secret.type == kBasicAuth) {
        secret.password = root["data"]["password"].base64();
    }
    if (problem.any()) {
        return decode_error("Secret", object, problem);
    }
    return secret;
}

}  // namespace steelyard::kube
