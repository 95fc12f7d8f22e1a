#include "common/base/duration.hpp"
#include "common/config/parse.hpp"
#include "common/config/rules.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

namespace steelyard::config {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kMaxAsn = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t kMaxPort = std::numeric_limits<std::uint16_t>::max();
constexpr std::uint16_t kBgpPort = 179;
constexpr seconds kMinHold{3};  // RFC 4271 4.2
constexpr seconds kMaxTimer{65535};
constexpr seconds kMaxRestart{4095};      // RFC 4724: twelve bits
constexpr std::size_t kMaxPassword = 80;  // TCP_MD5SIG_MAXKEYLEN
constexpr std::string_view kTime = "give a time such as 90s or 1m30s";

std::optional<BgpRole> parse_role(const std::string& text) {
    constexpr std::pair<std::string_view, BgpRole> kRoles[] = {
        {"provider", BgpRole::Provider},
        {"customer", BgpRole::Customer},
        {"peer", BgpRole::Peer},
        {"rs-server", BgpRole::RouteServer},
        {"rs-client", BgpRole::RouteServerClient},
    };
    for (const auto& [name, role] : kRoles) {
        if (text == name) {
            return role;
        }
    }
    return std::nullopt;
}

class PeerParser {
public:
    PeerParser(
        const kube::BgpPeer& object,
        const Objects& objects,
        const std::vector<BfdProfile>& profiles,
        std::vector<Problem>& problems
    )
        : object_(object),
          objects_(objects),
          profiles_(profiles),
          check_(Kind::BgpPeer, object.meta.key, problems) {}

    BgpPeer parse() {
        peer_.name = object_.meta.key.name;
        parse_numbers();
        parse_addresses();
        parse_hold_and_keepalive();
        parse_other_timers();
        parse_password();
        parse_options();
        parse_hops();
        parse_bfd();
        check_.selectors("spec.nodeSelectors", object_.node_selectors);
        peer_.node_selectors = object_.node_selectors;
        return std::move(peer_);
    }

private:
    std::uint32_t asn(const std::string& field, std::int64_t value) {
        return static_cast<std::uint32_t>(check_.number(field, value, 1, kMaxAsn, 1));
    }

    void parse_numbers() {
        peer_.local_asn = asn("spec.myASN", object_.my_asn);
        if (object_.local_asn) {
            peer_.local_asn = asn("spec.localASN", *object_.local_asn);
        }
        const std::string& dynamic = object_.dynamic_asn;
        if (dynamic.empty() == (object_.peer_asn == 0)) {
            check_.add(
                "spec.peerASN",
                std::to_string(object_.peer_asn),
                "give exactly one of peerASN (1 to 4294967295) and dynamicASN"
            );
        } else if (dynamic.empty()) {
            peer_.remote_as = {RemoteAs::Kind::Exactly, asn("spec.peerASN", object_.peer_asn)};
        } else if (dynamic == "internal") {
            peer_.remote_as = {RemoteAs::Kind::Internal, 0};
        } else if (dynamic == "external") {
            peer_.remote_as = {RemoteAs::Kind::External, 0};
        } else {
            check_.add("spec.dynamicASN", dynamic, "give internal or external");
        }
        constexpr std::int64_t kMin = 1;
        peer_.port = object_.peer_port == 0
                         ? kBgpPort
                         : static_cast<std::uint16_t>(check_.number(
                               "spec.peerPort", object_.peer_port, kMin, kMaxPort, kBgpPort
                           ));
    }

    [[nodiscard]] bool internal() const {
        return peer_.remote_as.kind == RemoteAs::Kind::Internal ||
               (peer_.remote_as.kind == RemoteAs::Kind::Exactly &&
                peer_.remote_as.asn == peer_.local_asn);
    }

    void parse_addresses() {
        if (object_.peer_address.empty() == object_.interface.empty()) {
            check_.add(
                "spec.peerAddress",
                object_.peer_address,
                "give exactly one of peerAddress and interface"
            );
        }
        peer_.address = check_.address("spec.peerAddress", object_.peer_address);
        if (peer_.address && !peer_.address->is_v4() && peer_.address->is_link_local()) {
            check_.add(
                "spec.peerAddress",
                object_.peer_address,
                "a link-local address belongs to an interface: give interface instead"
            );
        }
        check_.interface_name("spec.interface", object_.interface);
        peer_.interface = object_.interface;
        std::optional<net::Family> family;
        if (peer_.address) {
            family = peer_.address->family();
        }
        peer_.source = check_.address("spec.sourceAddress", object_.source_address, family);
        const auto router_id = check_.address("spec.routerID", object_.router_id, net::Family::V4);
        if (router_id) {
            peer_.router_id = router_id->v4_host_order();
        }
        check_.interface_name("spec.vrf", object_.vrf);
        peer_.vrf = object_.vrf;
    }

    // A keepaliveTime of 0 beside a holdTime says nothing: without KEEPALIVEs the session would not
    // outlive the hold time. Objects of v1beta1 that MetalLB converted carry such zeros.
    void parse_hold_and_keepalive() {
        constexpr std::string_view kHold = "give 0 or a time from 3s to 65535s, such as 90s";
        const auto hold = check_.seconds("spec.holdTime", object_.hold_time, kHold);
        const auto keepalive = check_.seconds("spec.keepaliveTime", object_.keepalive_time, kTime);
        const bool hold_wrong =
            hold && (*hold > kMaxTimer || (*hold < kMinHold && !is_zero(object_.hold_time)));
        if (hold_wrong) {
            check_.add("spec.holdTime", object_.hold_time, std::string(kHold));
            return;
        }
        if (keepalive && *keepalive == seconds(0) && !is_zero(object_.keepalive_time)) {
            check_.add("spec.keepaliveTime", object_.keepalive_time, "give 0 or at least 1s");
            return;
        }
        if (hold) {
            peer_.hold_time = *hold;
        } else if (keepalive && object_.hold_time.empty()) {
            peer_.hold_time = 3 * *keepalive;
        }
        if (!keepalive || *keepalive == seconds(0)) {
            return;
        }
        if (peer_.hold_time > kMaxTimer) {
            check_.add(
                "spec.keepaliveTime",
                object_.keepalive_time,
                "give at most 21845s, or a holdTime beside it"
            );
        } else if (*keepalive > peer_.hold_time) {
            check_.add(
                "spec.keepaliveTime",
                object_.keepalive_time,
                "give at most the hold time, " + std::to_string(peer_.hold_time.count()) + "s"
            );
        } else {
            peer_.keepalive_time = keepalive;
        }
    }

    [[nodiscard]] static bool is_zero(const std::string& text) {
        const auto duration = parse_duration(text);
        return duration && *duration == Duration::zero();
    }

    // A time of whole seconds from 1s to `max`.
    std::optional<seconds> whole_seconds(
        const std::string& field, const std::string& text, seconds max
    ) {
        const std::string accepted =
            "give whole seconds from 1s to " + std::to_string(max.count()) + "s";
        const auto value = check_.seconds(field, text, accepted);
        if (value && (*value < seconds(1) || *value > max || *value != parse_duration(text))) {
            check_.add(field, text, accepted);
            return std::nullopt;
        }
        return value;
    }

    void parse_other_timers() {
        peer_.connect_time = whole_seconds("spec.connectTime", object_.connect_time, kMaxTimer);
        peer_.restart_time = whole_seconds("spec.restartTime", object_.restart_time, kMaxRestart)
                                 .value_or(peer_.restart_time);
    }

    // The problems show no password.
    void parse_password() {
        const std::string& name = object_.password_secret;
        if (name.empty()) {
            peer_.password = object_.password;
            check_password("spec.password");
            return;
        }
        if (!object_.password.empty()) {
            check_.add(
                "spec.passwordSecret.name", name, "give only one of password and passwordSecret"
            );
            return;
        }
        if (!objects_.secrets) {
            if (objects_.scope) {
                refuse_secret("this speaker may not read Secrets: let its role allow it");
            }
            return;
        }
        const auto secret = std::find_if(
            objects_.secrets->begin(),
            objects_.secrets->end(),
            [&](const kube::Secret& candidate) { return candidate.meta.key.name == name; }
        );
        if (secret == objects_.secrets->end()) {
            refuse_secret("there is no Secret of this name and type kubernetes.io/basic-auth");
        } else if (secret->type != kube::kBasicAuth) {
            refuse_secret(
                "the Secret has type " + secret->type + "; give one of type " +
                std::string(kube::kBasicAuth)
            );
        } else if (!secret->password || secret->password->empty()) {
            refuse_secret("the Secret has no password under the key password");
        } else {
            peer_.password = *secret->password;
            check_password("spec.passwordSecret.name");
        }
    }

    void refuse_secret(const std::string& why) {
        check_.add("spec.passwordSecret.name", object_.password_secret, why);
    }

    void check_password(const std::string& field) {
        if (peer_.password.size() > kMaxPassword) {
            check_.add(
                field,
                "(" + std::to_string(peer_.password.size()) + " bytes)",
                "TCP MD5 takes passwords of at most 80 bytes"
            );
        }
    }

    void parse_options() {
        peer_.graceful_restart = object_.enable_graceful_restart;
        peer_.dual_stack = object_.dual_stack_address_family;
        peer_.passive = object_.passive_mode;
        if (object_.role.empty()) {
            return;
        }
        peer_.role = parse_role(object_.role);
        if (!peer_.role) {
            check_.add(
                "spec.role", object_.role, "give provider, customer, peer, rs-server or rs-client"
            );
        } else if (internal()) {
            check_.add("spec.role", object_.role, "roles are for peers of another AS");
        }
    }

    // ttlSecurityHops above 1 says by itself that the peer is farther away.
    void parse_hops() {
        peer_.multihop = object_.ebgp_multi_hop && object_.interface.empty();
        if (peer_.multihop && internal() && object_.dynamic_asn.empty()) {
            check_.add(
                "spec.ebgpMultiHop", "true", "only peers of another AS need it: leave it out"
            );
        }
        peer_.ttl_security_hops =
            check_.number<std::uint8_t>("spec.ttlSecurityHops", object_.ttl_security_hops, 1, 254);
        if (!peer_.ttl_security_hops) {
            return;
        }
        const bool far = *peer_.ttl_security_hops > 1;
        const std::string written = std::to_string(*object_.ttl_security_hops);
        if (far && !object_.interface.empty()) {
            check_.add("spec.ttlSecurityHops", written, "a peer on an interface is 1 hop away");
        } else if (!far && object_.ebgp_multi_hop) {
            check_.add(
                "spec.ttlSecurityHops", written, "with ebgpMultiHop the peer is 2 hops away or more"
            );
        }
        peer_.multihop = peer_.multihop || (far && !internal());
    }

    void parse_bfd() {
        const std::string& name = object_.bfd_profile;
        peer_.bfd_profile = name;
        if (!name.empty() &&
            std::none_of(profiles_.begin(), profiles_.end(), [&](const BfdProfile& profile) {
                return profile.name == name;
            })) {
            check_.add("spec.bfdProfile", name, "there is no BFDProfile of this name");
        }
    }

    const kube::BgpPeer& object_;
    const Objects& objects_;
    const std::vector<BfdProfile>& profiles_;
    ObjectCheck check_;
    BgpPeer peer_;
};

// Two sessions to one place from one node would be one: the peer cannot tell them apart.
void check_duplicates(
    const std::vector<const kube::BgpPeer*>& objects,
    const std::vector<BgpPeer>& peers,
    const std::optional<Scope>& scope,
    std::vector<Problem>& problems
) {
    using Place =
        std::tuple<std::optional<net::IpAddress>, std::string, std::uint16_t, std::string>;
    std::map<Place, std::vector<std::size_t>> places;
    for (std::size_t i = 0; i < peers.size(); ++i) {
        const BgpPeer& peer = peers[i];
        if (!peer.address && peer.interface.empty()) {
            continue;
        }
        auto& there = places[{peer.address, peer.interface, peer.port, peer.vrf}];
        const auto other = std::find_if(there.begin(), there.end(), [&](std::size_t earlier) {
            return share_a_node(scope, peers[earlier].node_selectors, peer.node_selectors);
        });
        if (other != there.end()) {
            const bool numbered = peer.address.has_value();
            ObjectCheck(Kind::BgpPeer, objects[i]->meta.key, problems)
                .add(
                    numbered ? "spec.peerAddress" : "spec.interface",
                    numbered ? objects[i]->peer_address : peer.interface,
                    "one BGPPeer on a node for the same address, port and VRF, and BGPPeer " +
                        to_string(objects[*other]->meta.key) + " has them too"
                );
        }
        there.push_back(i);
    }
}

}  // namespace

std::vector<BgpPeer> parse_bgp_peers(
    const Objects& objects, const std::vector<BfdProfile>& profiles, std::vector<Problem>& problems
) {
    const std::vector<kube::BgpPeer> ours = in_scope(objects.bgp_peers, objects.scope);
    const auto sorted = by_name(Kind::BgpPeer, ours, problems);
    std::vector<BgpPeer> peers;
    peers.reserve(sorted.size());
    for (const kube::BgpPeer* object : sorted) {
        peers.push_back(PeerParser(*object, objects, profiles, problems).parse());
    }
    check_duplicates(sorted, peers, objects.scope, problems);
    return peers;
}

}  // namespace steelyard::config
