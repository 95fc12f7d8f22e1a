#pragma once

#include "common/kube/model/meta.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The metallb.io kinds about BGP and BFD, and the Secrets they name, as written by the user:
// addresses, durations ("1m30s"), communities and ranges are judged by the room common/config.
// Text that is absent is "", a number that is absent is nullopt.
namespace steelyard::kube {

// metallb.io/v1beta2 BGPPeer. passive_mode, ttl_security_hops, role and restart_time are
// Steelyard's own.
struct BgpPeer {
    ObjectMeta meta;
    std::int64_t my_asn = 0;
    std::int64_t peer_asn = 0;  // 0: not given
    std::string dynamic_asn;    // internal, external
    std::optional<std::int64_t> local_asn;
    std::string peer_address;
    std::string interface;
    std::string source_address;
    std::int64_t peer_port = 0;  // 0: 179
    std::string hold_time;
    std::string keepalive_time;
    std::string connect_time;
    std::string router_id;
    std::vector<LabelSelector> node_selectors;
    std::string password;
    std::string password_secret;  // passwordSecret.name; its namespace is ignored, as by MetalLB
    std::string bfd_profile;
    bool enable_graceful_restart = false;
    bool ebgp_multi_hop = false;
    std::string vrf;
    bool dual_stack_address_family = false;
    bool passive_mode = false;
    std::optional<std::int64_t> ttl_security_hops;
    std::string role;
    std::string restart_time;
    friend bool operator==(const BgpPeer&, const BgpPeer&) = default;
};

// metallb.io/v1beta1 BGPAdvertisement. med, as_path_prepend and link_bandwidth are Steelyard's own.
struct BgpAdvertisement {
    ObjectMeta meta;
    std::optional<std::int64_t> aggregation_length;     // absent: 32
    std::optional<std::int64_t> aggregation_length_v6;  // absent: 128
    std::int64_t local_pref = 0;                        // 0: not given
    std::vector<std::string> communities;
    std::vector<std::string> ip_address_pools;
    std::vector<LabelSelector> ip_address_pool_selectors;
    std::vector<LabelSelector> node_selectors;
    std::vector<std::string> peers;
    std::vector<LabelSelector> service_selectors;
    std::optional<std::int64_t> med;
    std::optional<std::int64_t> as_path_prepend;
    bool link_bandwidth = false;
    friend bool operator==(const BgpAdvertisement&, const BgpAdvertisement&) = default;
};

// metallb.io/v1beta1 Community: names for communities.
struct Community {
    struct Alias {
        std::string name;
        std::string value;
        friend bool operator==(const Alias&, const Alias&) = default;
    };
    ObjectMeta meta;
    std::vector<Alias> communities;
    friend bool operator==(const Community&, const Community&) = default;
};

// metallb.io/v1beta1 BFDProfile. Intervals in milliseconds.
struct BfdProfile {
    ObjectMeta meta;
    std::optional<std::int64_t> receive_interval;
    std::optional<std::int64_t> transmit_interval;
    std::optional<std::int64_t> detect_multiplier;
    std::optional<std::int64_t> echo_interval;
    bool echo_mode = false;
    bool passive_mode = false;
    std::optional<std::int64_t> minimum_ttl;
    friend bool operator==(const BfdProfile&, const BfdProfile&) = default;
};

// A core/v1 Secret reduced to what a BGPPeer may name. Nothing else of it is kept in memory: no
// other key, no annotation (they may hold the whole Secret again).
struct Secret {
    ObjectMeta meta;
    std::string type;
    std::optional<std::string> password;  // decoded bytes; only of the type kBasicAuth
    friend bool operator==(const Secret&, const Secret&) = default;
};
inline constexpr std::string_view kBasicAuth = "kubernetes.io/basic-auth";

}  // namespace steelyard::kube
