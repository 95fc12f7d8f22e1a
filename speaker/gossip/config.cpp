#include "speaker/gossip/config.hpp"

namespace steelyard::gossip {

using namespace std::chrono_literals;

std::string_view to_string(Profile profile) {
    switch (profile) {
        case Profile::Fast:
            return "fast";
        case Profile::Lan:
            return "lan";
        case Profile::Wan:
            return "wan";
    }
    return "unknown";
}

Result<Profile> parse_profile(std::string_view text) {
    for (const Profile profile : {Profile::Fast, Profile::Lan, Profile::Wan}) {
        if (text == to_string(profile)) {
            return profile;
        }
    }
    return make_error(
        Errc::Invalid, "gossip profile \"" + std::string(text) + "\": accepted are fast, lan, wan"
    );
}

Timing timing(Profile profile) {
    Timing lan;
    lan.probe_interval = 1s;
    lan.probe_timeout = 500ms;
    lan.gossip_interval = 200ms;
    lan.gossip_to_the_dead = 30s;
    lan.push_pull_interval = 30s;
    lan.stream_timeout = 10s;
    lan.reconnect_interval = 2s;
    switch (profile) {
        case Profile::Lan:
            break;
        case Profile::Wan: {
            Timing wan = lan;
            wan.probe_interval = 5s;
            wan.probe_timeout = 3s;
            wan.suspicion_mult = 6;
            wan.gossip_interval = 500ms;
            wan.gossip_nodes = 4;
            wan.gossip_to_the_dead = 60s;
            wan.push_pull_interval = 60s;
            wan.stream_timeout = 30s;
            wan.reconnect_interval = 5s;
            return wan;
        }
        case Profile::Fast: {
            // suspicion_mult 4 asks for two confirmations, so that up to three members nobody
            // waits for any: 0.2 s * (about 2 + 4) = 1.2 s. Below 4, one peer's silence would cost
            // suspicion_max_mult times as long.
            Timing fast = lan;
            fast.probe_interval = 200ms;
            fast.probe_timeout = 80ms;
            fast.suspicion_max_mult = 3;
            fast.gossip_interval = 50ms;
            fast.push_pull_interval = 15s;
            fast.stream_timeout = 5s;
            fast.dead_reclaim = 5s;
            fast.reconnect_interval = 400ms;
            return fast;
        }
    }
    return lan;
}

Result<> validate(const Config& config) {
    if (config.name.empty() || config.name.size() > gossip_wire::kMaxName) {
        return make_error(
            Errc::Invalid,
            "gossip name \"" + config.name + "\": want 1 to " +
                std::to_string(gossip_wire::kMaxName) + " bytes"
        );
    }
    if (config.meta.size() > gossip_wire::kMaxMeta) {
        return make_error(
            Errc::Invalid,
            "gossip meta: " + std::to_string(config.meta.size()) + " bytes, want at most " +
                std::to_string(gossip_wire::kMaxMeta)
        );
    }
    if (config.envelope.label.size() > 255) {
        return make_error(
            Errc::Invalid,
            "gossip label: " + std::to_string(config.envelope.label.size()) +
                " bytes, want at most 255"
        );
    }
    if (config.address.address.is_unspecified() || config.address.port == 0) {
        return make_error(
            Errc::Invalid,
            "gossip address " + to_string(config.address) + ": others must be able to reach it"
        );
    }
    const gossip_wire::Versions& speaks = config.versions;
    if (speaks.pmin == 0 || speaks.pmin > speaks.pcur || speaks.pcur > speaks.pmax ||
        speaks.dmin > speaks.dcur || speaks.dcur > speaks.dmax) {
        return make_error(
            Errc::Invalid, "gossip versions: want minimum <= current <= maximum, protocol from 1"
        );
    }
    const Timing& timing = config.timing;
    if (timing.probe_timeout <= Duration::zero() || timing.probe_timeout >= timing.probe_interval ||
        timing.gossip_interval <= Duration::zero() ||
        timing.push_pull_interval <= Duration::zero() ||
        timing.reconnect_interval <= Duration::zero() || timing.awareness_max == 0) {
        return make_error(
            Errc::Invalid,
            "gossip timing: want 0 < probe timeout < probe interval and positive intervals"
        );
    }
    return {};
}

}  // namespace steelyard::gossip
