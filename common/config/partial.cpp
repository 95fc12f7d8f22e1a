#include "common/config/parse.hpp"

#include <algorithm>
#include <set>
#include <utility>

// What to run with while something is wrong.
namespace steelyard::config {
namespace {

bool is_about_bgp(Kind kind) {
    return kind == Kind::BgpPeer || kind == Kind::BgpAdvertisement || kind == Kind::Community ||
           kind == Kind::BfdProfile;
}

std::set<std::string> advertisements_of_wrong_aliases(
    const std::vector<kube::BgpAdvertisement>& objects, const Aliases& aliases
) {
    std::set<std::string> result;
    for (const kube::BgpAdvertisement& object : objects) {
        const auto& used = object.communities;
        if (std::any_of(used.begin(), used.end(), [&](const std::string& community) {
                const auto alias = aliases.find(community);
                return alias != aliases.end() && !alias->second;
            })) {
            result.insert(object.meta.key.name);
        }
    }
    return result;
}

Config with_bgp_of(const Config& last, Config config) {
    config.bgp_peers = last.bgp_peers;
    config.bgp_advertisements = last.bgp_advertisements;
    config.bfd_profiles = last.bfd_profiles;
    return config;
}

}  // namespace

std::shared_ptr<const Config> without_wrong(
    Config config,
    const Objects& objects,
    const Aliases& aliases,
    const std::vector<Problem>& problems
) {
    std::set<std::pair<Kind, std::string>> wrong;
    for (const Problem& problem : problems) {
        if (!is_about_bgp(problem.kind)) {
            return nullptr;
        }
        wrong.emplace(problem.kind, problem.key.name);
    }
    const auto mistaken = advertisements_of_wrong_aliases(objects.bgp_advertisements, aliases);
    std::erase_if(config.bgp_peers, [&](const BgpPeer& peer) {
        return wrong.contains({Kind::BgpPeer, peer.name}) ||
               wrong.contains({Kind::BfdProfile, peer.bfd_profile});
    });
    std::erase_if(config.bfd_profiles, [&](const BfdProfile& profile) {
        return wrong.contains({Kind::BfdProfile, profile.name});
    });
    std::erase_if(config.bgp_advertisements, [&](const BgpAdvertisement& advertisement) {
        return wrong.contains({Kind::BgpAdvertisement, advertisement.name}) ||
               mistaken.contains(advertisement.name);
    });
    return std::make_shared<const Config>(std::move(config));
}

bool LastGood::update(ParseResult result) {
    problems_ = std::move(result.problems);
    std::shared_ptr<const Config> next = std::move(result.config);
    if (next) {
        was_right_ = true;
    } else if (result.partial && was_right_) {
        next = std::make_shared<const Config>(with_bgp_of(*current_, *result.partial));
    } else {
        next = std::move(result.partial);
    }
    if (!next || (current_ && *current_ == *next)) {
        return false;
    }
    current_ = std::move(next);
    return true;
}

}  // namespace steelyard::config
