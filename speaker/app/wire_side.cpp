#include "speaker/app/wire_side.hpp"

#include "speaker/app/wire_thread.hpp"

#include <utility>

namespace steelyard::speaker {

Result<std::unique_ptr<WireSide>> WireSide::start(
    const asio::any_io_executor& control, WireConfig config, Callbacks callbacks
) {
    auto thread =
        std::make_unique<Thread>(control, config.seed, config.announcer, std::move(callbacks));
    if (config.gossip) {
        std::string name = config.gossip->name;
        gossip_wire::KeyRing keys = config.gossip->envelope.keys;
        if (const auto opened = thread->open_gossip(std::move(*config.gossip)); !opened) {
            return opened.error();
        }
        if (config.ring) {
            if (const auto opened =
                    thread->open_ring(*config.ring, std::move(name), std::move(keys));
                !opened) {
                return opened.error();
            }
        }
    }
    thread->start(config.realtime);
    return std::unique_ptr<WireSide>(new WireSide(std::move(thread)));
}

WireSide::WireSide(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
WireSide::~WireSide() = default;

void WireSide::set_peers(std::vector<net::Endpoint> peers) {
    thread_->post([peers = std::move(peers)](Thread& self) { self.set_peers(peers); });
}

void WireSide::set_interfaces(std::vector<net::Interface> interfaces) {
    thread_->post([interfaces = std::move(interfaces)](Thread& self) {
        self.set_interfaces(interfaces);
    });
}

void WireSide::set_announcements(std::shared_ptr<const l2::Announcements> announcements) {
    thread_->post([announcements = std::move(announcements)](Thread& self) {
        self.packets().set_announcements(announcements);
    });
}

void WireSide::set_meta(NodeMeta meta) {
    thread_->post([meta = std::move(meta)](Thread& self) { self.set_meta(meta); });
}

void WireSide::set_keys(gossip_wire::KeyRing keys) {
    thread_->post([keys = std::move(keys)](Thread& self) { self.set_keys(keys); });
}

void WireSide::open_bgp(io::BgpDriver::Options options) {
    thread_->post([options](Thread& self) { self.open_bgp(options); });
}

void WireSide::set_bgp_peers(BgpPeers peers) {
    thread_->post([peers = std::move(peers)](Thread& self) mutable {
        if (WireBgp* bgp = self.bgp()) {
            bgp->set_peers(std::move(peers));
        }
    });
}

void WireSide::apply_routes(bgp_rib::Changes changes, std::uint64_t sequence) {
    thread_->post([changes = std::move(changes), sequence](Thread& self) {
        if (WireBgp* bgp = self.bgp()) {
            bgp->apply(changes, sequence);
        }
    });
}

void WireSide::set_bgp_draining(bool draining) {
    thread_->post([draining](Thread& self) {
        if (WireBgp* bgp = self.bgp()) {
            bgp->set_draining(draining);
        }
    });
}

void WireSide::leave_bgp(io::StopMode mode, std::string text) {
    thread_->post([mode, text = std::move(text)](Thread& self) { self.leave_bgp(mode, text); });
}

awaitable<WireCounters> WireSide::counters() {
    return thread_->ask(&Thread::counters);
}

awaitable<std::size_t> WireSide::yielding() {
    return thread_->ask(&Thread::yielding);
}

awaitable<void> WireSide::stop(Duration last_answers) {
    return thread_->stop(last_answers);
}

}  // namespace steelyard::speaker
