#pragma once

#include "bench/proxy/path.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

// Ways that packets can take through a node, measured by turns: all exist at once, each in a
// process and a network namespace of its own.
namespace steelyard::bench {

struct Lane {
    std::string what;
    std::function<void(const Path&)> prepare;
};

// The addresses of client and server count as pods', or do not.
inline constexpr const char* kPods = "10.1.0.0/16";
inline constexpr const char* kNoPods = "10.244.0.0/16";

void to_server(const Path& path);
void to_virtual(const Path& path);
// A virtual server by hand, to the virtual address, without a rule of ours.
void ipvs_by_hand(const Path& path);
// Everything of ours in place: rules, sets, `others` Services beside the one that is used; then
// `afterwards`, a shell command.
[[nodiscard]] Lane programmed(
    const std::string& what,
    std::uint32_t others,
    const char* pods,
    const std::string& afterwards = {}
);

// Packets a second of each lane in its best round: others on the machine can only slow it down.
[[nodiscard]] std::vector<double> take_turns(const std::vector<Lane>& lanes, int rounds);

}  // namespace steelyard::bench
