#include "speaker/app/gossip_key.hpp"
#include "speaker/app/node_meta/node_meta.hpp"
#include "speaker/app/speaker.hpp"
#include "speaker/app/view.hpp"

#include <utility>

// What the wire thread is made of, and what comes back from it.
namespace steelyard::speaker {

Result<WireConfig> Speaker::wire_config() const {
    WireConfig wire;
    wire.seed = seed_;
    if (!options_.gossip_address) {
        log_.warn(
            "gossip is off: every node counts as alive", {{"because", "--ml-bindaddr is empty"}}
        );
        return wire;
    }
    gossip::Config config;
    config.name = options_.node_name;
    config.address = {*options_.gossip_address, options_.gossip_port};
    config.meta = encode(NodeMeta{});
    config.timing = gossip::timing(options_.gossip_profile);
    if (options_.gossip_key_path.empty()) {
        log_.warn("gossip is not encrypted", {{"because", "--ml-secret-key-path is empty"}});
    } else {
        auto keys = load_gossip_keys(options_.gossip_key_path);
        if (!keys) {
            return keys.error();
        }
        config.envelope.keys = std::move(*keys);
    }
    wire.gossip = std::move(config);
    return wire;
}

WireSide::Callbacks Speaker::wire_callbacks() {
    WireSide::Callbacks callbacks;
    callbacks.on_members = [this](const WireSide::Members& members) {
        members_ = members;
        wake();
    };
    callbacks.on_conflict = [this](const l2::Conflict& conflict) {
        const auto planned = announcements_.addresses.find(conflict.address);
        if (leaving_ || planned == announcements_.addresses.end() ||
            !planned->second.announced_here) {
            return;  // the node that takes over
        }
        log_.warn(
            "somebody else answers for an address of ours",
            {{"ip", to_string(conflict.address)}, {"mac", to_string(conflict.claimant)}}
        );
    };
    callbacks.on_error = [this](const Error& error) {
        log_.warn("wire", {{"error", to_string(error)}});
    };
    return callbacks;
}

void Speaker::follow_peers() {
    if (!options_.gossip_address) {
        return;
    }
    auto peers = gossip_peers(watches_.pods(), *options_.gossip_address);
    if (peers != peers_) {
        peers_ = peers;
        wire_->set_peers(std::move(peers));
    }
}

}  // namespace steelyard::speaker
