#include "speaker/plan/bgp.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace steelyard::speaker_plan {
namespace {

bool for_all(const BgpPaths& paths) {
    return !paths.empty() && paths.back().peers.empty();
}

std::set<std::string> named(const BgpPaths& paths) {
    std::set<std::string> peers;
    for (const BgpPath& path : paths) {
        peers.insert(path.peers.begin(), path.peers.end());
    }
    return peers;
}

// What goes to all goes to those that get a version of their own, too.
bool same_peers(const BgpPaths& a, const BgpPaths& b) {
    return for_all(a) || for_all(b) ? for_all(a) && for_all(b) : named(a) == named(b);
}

}  // namespace

BgpRoute::BgpRoute(std::shared_ptr<const BgpPaths> paths, std::uint64_t sequence)
    : paths_(std::move(paths)), since_(sequence) {}

void BgpRoute::set(std::shared_ptr<const BgpPaths> paths, std::uint64_t sequence) {
    if (paths != paths_ && !same_peers(*paths, *paths_)) {
        std::set<std::string> peers = named(*paths);
        if (for_all(*paths)) {
            peers.merge(named(*paths_));
        }
        std::vector<std::pair<std::string, std::uint64_t>> longer;
        for (const std::string& peer : peers) {
            if (goes_to(peer)) {
                longer.emplace_back(peer, since(peer));
            }
        }
        longer_ = std::move(longer);
        since_ = sequence;
    }
    paths_ = std::move(paths);
}

bool BgpRoute::goes_to(const std::string& peer) const {
    return std::any_of(paths_->begin(), paths_->end(), [&](const BgpPath& path) {
        return path.peers.empty() || std::binary_search(path.peers.begin(), path.peers.end(), peer);
    });
}

std::uint64_t BgpRoute::since(const std::string& peer) const {
    const auto found = std::find_if(longer_.begin(), longer_.end(), [&](const auto& entry) {
        return entry.first == peer;
    });
    return found == longer_.end() ? since_ : found->second;
}

}  // namespace steelyard::speaker_plan
