#pragma once

#include "speaker/gossip/member.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

// When the others may have announced what this node announces: after a partition. Pure.
namespace steelyard::speaker {

// Whether a live member is unreachable no more. A verdict also ends when gossip declares its node
// dead; then nobody is back, and nothing has healed.
[[nodiscard]] inline bool has_returned(
    const std::set<std::string, std::less<>>& before,
    const std::set<std::string, std::less<>>& unreachable,
    const std::vector<gossip::Member>& members
) {
    return std::any_of(members.begin(), members.end(), [&](const gossip::Member& member) {
        return member.is_live() && before.contains(member.name) &&
               !unreachable.contains(member.name);
    });
}

}  // namespace steelyard::speaker
