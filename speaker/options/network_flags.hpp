#pragma once

#include "speaker/options/options.hpp"

#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

// The flags of gossip, the watch ring, layer 2 and BGP.
namespace steelyard::speaker {

// Text values that are turned into types once CLI11 is done with the syntax.
struct NetworkTexts {
    std::string bind_address;
    std::string bind_port;
    std::string profile = "fast";
    std::vector<std::string> peers;
    std::string watch_ring = "on";
    std::string watch_ring_interval = "100ms";
    std::string failback_delay = "0s";
    std::string announce_refresh = "180s";
    std::string answer_ping = "auto";
    std::string bgp_drain_wait = "2s";
    bool wan = false;
};

// `app` fills `options` and `texts`, which outlive its parsing.
void add_network_flags(CLI::App& app, Options& options, NetworkTexts& texts);
[[nodiscard]] Result<> apply_network_flags(const NetworkTexts& texts, Options& options);

}  // namespace steelyard::speaker
