#include "common/base/rng.hpp"
#include "common/rt/sleep.hpp"
#include "speaker/app/gossip_key.hpp"
#include "speaker/app/speaker.hpp"
#include "speaker/app/view.hpp"

#include <chrono>
#include <utility>

// What the wire thread is made of, and what comes back from it.
namespace steelyard::speaker {

using namespace std::chrono_literals;

namespace {

// How often the folder of keys is read again, and old conflicts are forgotten.
constexpr Duration kUpkeep = 10s;

Instant now() {
    return std::chrono::steady_clock::now();
}

}  // namespace

Result<WireConfig> Speaker::wire_config() {
    WireConfig wire;
    wire.seed = seed_;
    wire.realtime = options_.bfd_realtime;
    wire.announcer.packets_per_second = options_.announce_pps;
    wire.announcer.refresh_interval = options_.announce_refresh;
    if (!options_.gossip_address) {
        log_.warn(
            "gossip is off: every node counts as alive", {{"because", "--ml-bindaddr is empty"}}
        );
        return wire;
    }
    gossip::Config config;
    config.name = options_.node_name;
    config.address = {*options_.gossip_address, options_.gossip_port};
    config.timing = gossip::timing(options_.gossip_profile);
    if (options_.gossip_key_path.empty()) {
        log_.warn("gossip is not encrypted", {{"because", "--ml-insecure"}});
    } else {
        auto keys = load_gossip_keys(options_.gossip_key_path);
        if (!keys) {
            return keys.error();
        }
        keys_ = std::move(*keys);
        config.envelope.keys = keys_;
        log_.info("gossip keys in force", {{"count", std::to_string(keys_.keys().size())}});
    }
    wire.gossip = std::move(config);
    if (options_.watch_ring) {
        wire.ring.emplace();
        wire.ring->port = options_.watch_ring_port;
        wire.ring->interval = options_.watch_ring_interval;
        wire.ring->epoch = Rng(seed_).next();
    }
    return wire;
}

WireSide::Callbacks Speaker::wire_callbacks() {
    WireSide::Callbacks callbacks;
    callbacks.on_sight = [this](const WireSide::SightRef& sight) {
        on_sight(sight);
    };
    callbacks.on_conflict = [this](const l2::Conflict& conflict) {
        on_conflict(conflict);
    };
    callbacks.on_error = [this](const Error& error) {
        log_.warn("wire", {{"error", to_string(error)}});
    };
    callbacks.on_refused = [this](const Error& error) {
        log_.warn("gossip refused", {{"error", to_string(error)}});
    };
    callbacks.on_failed = [this](const Error& error) {
        end(error);
    };
    callbacks.on_bgp = [this](const std::shared_ptr<const io::BgpStatus>& status) {
        bgp_.on_status(status);
    };
    callbacks.on_bgp_log = [this](io::BgpDriver::Level level, const std::string& line) {
        bgp_.on_log(level, line);
    };
    return callbacks;
}

void Speaker::on_sight(const WireSide::SightRef& sight) {
    const auto was = sight_;
    sight_ = sight;
    for (const std::string& name : sight->unreachable) {
        if (!was || !was->unreachable.contains(name)) {
            log_.warn("unreachable, say its watchers", {{"node", name}});
        }
    }
    if (was) {
        for (const std::string& name : was->unreachable) {
            if (!sight->unreachable.contains(name)) {
                log_.info("unreachable no more", {{"node", name}});
            }
        }
    }
    if (has_company(*sight, options_.node_name)) {
        met();
    }
    const bool cut_off = sight->unreachable.contains(options_.node_name);
    if (std::exchange(cut_off_, cut_off) && !cut_off && ready_ && !leaving_) {
        begin_settling();
    }
    review_settling();
    replan_.notify();  // before the kernel's turn: addresses of a dead node move at once
    wake();
}

void Speaker::on_conflict(const l2::Conflict& conflict) {
    const auto planned = announcements_->addresses.find(conflict.address);
    if (leaving_ || planned == announcements_->addresses.end() || !planned->second.announced_here) {
        return;  // the node that takes over
    }
    const auto before = conflicts_.current();
    if (!conflicts_.note({conflict.address, conflict.claimant}, now())) {
        return;
    }
    log_.warn(
        "somebody else answers for an address of ours",
        {{"ip", to_string(conflict.address)},
         {"mac", to_string(conflict.claimant)},
         {"defended", conflict.defended ? "yes" : "no"}}
    );
    const auto events = speaker_plan::conflict_events(
        options_.node_name, *announcements_, before, conflicts_.current()
    );
    for (const speaker_plan::Event& event : events) {
        record(event);
    }
    tell_statuses();
}

void Speaker::follow_peers() {
    if (!options_.gossip_address) {
        return;
    }
    auto peers = options_.gossip_peers.empty()
                     ? gossip_peers(watches_.pods(), *options_.gossip_address, options_.gossip_port)
                     : options_.gossip_peers;
    if (peers != peers_) {
        peers_ = peers;
        wire_->set_peers(std::move(peers));
    }
}

awaitable<void> Speaker::upkeep_loop() {
    for (;;) {
        co_await rt::sleep_for(kUpkeep);
        reload_keys();
        bgp_.upkeep();
        if (conflicts_.expire(now())) {
            tell_statuses();
        }
    }
}

// A Secret that changed shows up in the mounted folder within a minute or so.
void Speaker::reload_keys() {
    if (!options_.gossip_address || options_.gossip_key_path.empty()) {
        return;
    }
    auto keys = load_gossip_keys(options_.gossip_key_path);
    const std::string failure = keys ? "" : to_string(keys.error());
    if (!failure.empty() && failure != key_failure_) {
        log_.warn("gossip keys not read again; the last ones stay", {{"error", failure}});
    }
    key_failure_ = failure;
    if (!keys || keys->keys() == keys_.keys()) {
        return;
    }
    keys_ = std::move(*keys);
    wire_->set_keys(keys_);
    log_.info("gossip keys in force", {{"count", std::to_string(keys_.keys().size())}});
}

}  // namespace steelyard::speaker
