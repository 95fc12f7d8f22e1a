#include "speaker/app/bgp/wire_bgp.hpp"

#include <utility>

namespace steelyard::speaker {

WireBgp::WireBgp(
    const asio::any_io_executor& executor, io::BgpDriver::Options options, Handlers handlers
)
    : handlers_(std::move(handlers)),
      bgp_(
          executor,
          options,
          {[this](const auto& status) { handlers_.on_status(status); },
           [this](const std::vector<io::BfdWanted>& wanted) {
               wanted_ = wanted;
               follow_bfd();
           },
           [this](io::BgpDriver::Level level, const std::string& line) {
               handlers_.on_log(level, line);
           },
           [this](const std::string& why) {
               handlers_.on_failed(why);
           }}
      ),
      bfd_(
          executor,
          {},
          {[this](const std::string& key, bfd::State state, bfd::Diagnostic, Instant) {
               bgp_.on_bfd(key, io::as_bgp_sees(state));
           },
           [this](const std::string& line) {
               handlers_.on_log(io::BgpDriver::Level::Warning, "BFD: " + line);
           }}
      ) {}

void WireBgp::set_peers(BgpPeers peers) {
    profiles_ = std::move(peers.profiles);
    bgp_.set_peers(std::move(peers.peers));
    follow_bfd();  // a profile may be all that changed
}

void WireBgp::set_interfaces(std::vector<net::Interface> interfaces) {
    bgp_.set_interfaces(std::move(interfaces));
}

void WireBgp::apply(const bgp_rib::Changes& changes, std::uint64_t sequence) {
    bgp_.apply(changes, sequence);
}

void WireBgp::set_draining(bool draining) {
    bgp_.set_draining(draining);
}

void WireBgp::follow_bfd() {
    auto sessions = io::bfd_sessions(wanted_, profiles_);
    std::set<std::string> watched;
    for (const bfd::SessionConfig& session : sessions) {
        watched.insert(session.key);
    }
    bfd_.set_sessions(std::move(sessions));
    const std::set<std::string> before = std::exchange(watched_, std::move(watched));
    for (const std::string& peer : before) {
        if (!watched_.contains(peer)) {
            bgp_.on_bfd(peer, bgp::BfdState::None);
        }
    }
}

BgpCounters WireBgp::counters() const {
    return {bgp_.status(), bfd_.status(), bfd_.drops(), bgp_.unknown_callers()};
}

awaitable<void> WireBgp::stop(io::StopMode mode, std::string text) {
    co_await bgp_.stop(mode, std::move(text));
    co_await bfd_.stop();
}

}  // namespace steelyard::speaker
