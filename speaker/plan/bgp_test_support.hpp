#pragma once

#include "speaker/plan/bgp.hpp"
#include "speaker/plan/plan_test_support.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

// The cluster of PlanTest with BGP instead of layer 2: two routers, one advertisement.
namespace steelyard::speaker_plan {

inline net::Prefix prefix(std::string_view text) {
    return net::Prefix::parse(text).value();
}

class BgpTest : public PlanTest {
protected:
    static constexpr std::uint32_t kRed = 0xFC000001U;    // 64512:1
    static constexpr std::uint32_t kGreen = 0xFC000002U;  // 64512:2

    BgpTest() {
        config_.l2_advertisements.clear();
        config_.bgp_peers = {peer("r1"), peer("r2")};
        config_.bgp_advertisements = {bgp_advertisement("everything")};
    }

    static config::BgpPeer peer(std::string name) {
        config::BgpPeer peer;
        peer.name = std::move(name);
        return peer;
    }
    static config::BgpAdvertisement bgp_advertisement(std::string name) {
        config::BgpAdvertisement advertisement;
        advertisement.name = std::move(name);
        advertisement.pools = {"lan", "lan6"};
        return advertisement;
    }
    config::BgpAdvertisement& first() { return config_.bgp_advertisements.front(); }
    config::BgpAdvertisement& add_advertisement(std::string name) {
        config_.bgp_advertisements.push_back(bgp_advertisement(std::move(name)));
        return config_.bgp_advertisements.back();
    }

    BgpPlan bgp() {
        snapshot_.config = std::make_shared<const config::Config>(config_);
        return bgp_plan(snapshot_);
    }
    std::vector<std::string> prefixes() {
        std::vector<std::string> all;
        for (const auto& [prefix, route] : bgp().routes) {
            all.push_back(to_string(prefix));
        }
        return all;
    }
    BgpPaths paths(std::string_view of = "192.0.2.10/32") {
        return *bgp().routes.at(prefix(of)).paths();
    }
    // What the peer is told; nothing when no path is for it.
    std::optional<BgpAttributes> told(
        const std::string& peer, std::string_view of = "192.0.2.10/32"
    ) {
        for (const BgpPath& path : paths(of)) {
            const auto& named = path.peers;
            if (named.empty() || std::find(named.begin(), named.end(), peer) != named.end()) {
                return path.attributes;
            }
        }
        return std::nullopt;
    }
    std::optional<BgpWhyNot> why_not(const std::string& service = "web", std::size_t address = 0) {
        return bgp().services.at({"default", service})->addresses.at(address).why_not;
    }
};

}  // namespace steelyard::speaker_plan
