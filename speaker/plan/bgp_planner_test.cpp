#include "speaker/plan/bgp_planner.hpp"

#include "common/base/rng.hpp"
#include "speaker/plan/bgp_test_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::speaker_plan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class BgpPlannerTest : public BgpTest {
protected:
    BgpChanges synced() {
        snapshot_.config = config_in_use();
        planner_.sync(snapshot_);
        return planner_.update();
    }
    std::shared_ptr<const config::Config> config_in_use() {
        if (!in_use_ || *in_use_ != config_) {
            in_use_ = std::make_shared<const config::Config>(config_);
        }
        return in_use_;
    }
    std::uint64_t since(const std::string& peer) {
        return planner_.plan().routes.at(prefix("192.0.2.10/32")).since(peer);
    }

    BgpPlanner planner_;
    std::shared_ptr<const config::Config> in_use_;
};

TEST_F(BgpPlannerTest, TheFirstChangesAreTheWholePlan) {
    const BgpChanges changes = synced();

    EXPECT_EQ(changes.sequence, 1U);
    ASSERT_THAT(changes.upsert, SizeIs(1));
    EXPECT_EQ(changes.upsert[0].prefix, prefix("192.0.2.10/32"));
    ASSERT_THAT(changes.services, SizeIs(1));
    EXPECT_EQ(changes.services[0].before, nullptr);
}

TEST_F(BgpPlannerTest, NothingNewIsNoChange) {
    static_cast<void>(synced());
    const BgpChanges changes = synced();
    EXPECT_FALSE(changes.changes_routes());
    EXPECT_THAT(changes.services, IsEmpty());
    EXPECT_EQ(changes.sequence, 1U);
}

TEST_F(BgpPlannerTest, OneServiceIsOneChange) {
    for (int i = 20; i < 60; ++i) {
        const std::string name = "s" + std::to_string(i);
        add_service(name, {("192.0.2." + std::to_string(i)).c_str()});
        add_slice(name, {"a"});
    }
    static_cast<void>(synced());
    add_service("s30", {"192.0.2.99"});
    const BgpChanges changes = synced();

    ASSERT_THAT(changes.upsert, SizeIs(1));
    EXPECT_EQ(changes.upsert[0].prefix, prefix("192.0.2.99/32"));
    EXPECT_THAT(changes.remove, ElementsAre(prefix("192.0.2.30/32")));
    EXPECT_EQ(changes.sequence, 2U);
}

TEST_F(BgpPlannerTest, EndpointsThatChangeNothingForPeersAreNoRouteChange) {
    static_cast<void>(synced());
    add_slice("web", {"a", "a", "c"});
    const BgpChanges changes = synced();
    EXPECT_FALSE(changes.changes_routes());
    EXPECT_THAT(changes.services, IsEmpty());
}

TEST_F(BgpPlannerTest, ANodeLabelThatNoSelectorAsksForChangesNothing) {
    static_cast<void>(synced());
    auto node = std::make_shared<kube::Node>(*snapshot_.nodes.at({"", "a"}));
    node->meta.labels["heartbeat"] = "2";
    snapshot_.nodes[node->meta.key] = node;
    EXPECT_FALSE(synced().changes_routes());
}

TEST_F(BgpPlannerTest, WhatBecomesServableIsAnnounced) {
    snapshot_.servable.emplace();
    EXPECT_FALSE(synced().changes_routes());
    snapshot_.servable->insert(ip("192.0.2.10"));
    EXPECT_THAT(synced().upsert, SizeIs(1));
    snapshot_.servable->clear();
    EXPECT_THAT(synced().remove, ElementsAre(prefix("192.0.2.10/32")));
}

TEST_F(BgpPlannerTest, AServiceInAnAggregateOfManyIsNoRouteChange) {
    first().aggregation_length = 24;
    static_cast<void>(synced());
    add_service("db", {"192.0.2.20"});
    add_slice("db", {"a"});
    const BgpChanges changes = synced();
    EXPECT_FALSE(changes.changes_routes());
    EXPECT_THAT(changes.services, SizeIs(1));
}

TEST_F(BgpPlannerTest, AFamiliarRouteKeepsItsAgeWhenOnlyAttributesChange) {
    static_cast<void>(synced());
    first().communities.standard = {kRed};
    EXPECT_EQ(synced().sequence, 2U);
    EXPECT_EQ(since("r1"), 1U);

    first().peers = {"r1"};
    EXPECT_EQ(synced().sequence, 3U);
    EXPECT_EQ(since("r1"), 1U);

    first().peers.clear();
    EXPECT_EQ(synced().sequence, 4U);
    EXPECT_EQ(since("r1"), 1U);
    EXPECT_EQ(since("r2"), 4U);
}

TEST_F(BgpPlannerTest, RoutesThatAreAnnouncedAlikeShareTheirPaths) {
    add_service("db", {"192.0.2.20"});
    add_slice("db", {"a"});
    static_cast<void>(synced());
    const auto& routes = planner_.plan().routes;
    EXPECT_EQ(routes.begin()->second.paths(), std::next(routes.begin())->second.paths());
}

TEST_F(BgpPlannerTest, ForgetsWhatIsGone) {
    static_cast<void>(synced());
    snapshot_.services.clear();
    snapshot_.slices.clear();
    const BgpChanges changes = synced();
    EXPECT_THAT(changes.remove, SizeIs(1));
    ASSERT_THAT(changes.services, SizeIs(1));
    EXPECT_EQ(changes.services[0].after, nullptr);
    EXPECT_THAT(planner_.plan().services, IsEmpty());
}

// Random edits of a small cluster.
class World : public BgpPlannerTest {
protected:
    void edit(Rng& rng) {
        const std::string name = "s" + std::to_string(rng.below(5));
        switch (rng.below(10)) {
            case 0:
                snapshot_.services.erase(kube::ObjectKey{"default", name});
                break;
            case 1:
            case 2:
                edit_service(name, rng);
                break;
            case 3:
            case 4:
                edit_slice(name, rng);
                break;
            case 5:
                edit_servable(rng);
                break;
            case 6:
                edit_node(rng);
                break;
            case 7:
                edit_advertisement(rng);
                break;
            case 8:
                edit_pools(rng);
                break;
            default:
                edit_peers(rng);
                break;
        }
    }

    BgpPlan full() const { return bgp_plan(snapshot_); }

private:
    void edit_service(const std::string& name, Rng& rng) {
        kube::Service& service = add_service(name, {});
        for (std::uint64_t i = rng.below(3); i > 0; --i) {
            const std::string host = std::to_string(rng.below(6));
            const char* const nets[] = {"192.0.2.", "2001:db8::", "203.0.113."};
            service.ingress.push_back({ip(nets[rng.below(3)] + host), "", ""});
        }
        service.meta.labels["app"] = "s" + std::to_string(rng.below(2));
        service.load_balancer_class = rng.below(8) == 0 ? "other" : "";
        service.external_traffic_policy =
            rng.below(2) == 0 ? kube::TrafficPolicy::Local : kube::TrafficPolicy::Cluster;
    }
    void edit_slice(const std::string& name, Rng& rng) {
        const auto family = rng.below(2) == 0 ? net::Family::V4 : net::Family::V6;
        std::vector<std::string> nodes;
        for (std::uint64_t i = rng.below(4); i > 0; --i) {
            nodes.push_back(rng.below(2) == 0 ? "a" : "b");
        }
        kube::EndpointSlice& slice = add_slice(name, nodes, family);
        // Sometimes the label names another Service than before.
        slice.service = rng.below(6) == 0 ? "s0" : name;
        for (kube::SliceEndpoint& endpoint : slice.endpoints) {
            endpoint.ready = rng.below(3) != 0;
        }
        if (rng.below(5) == 0) {
            const kube::ObjectKey key = slice.meta.key;
            snapshot_.slices.erase(key);
        }
    }
    void edit_servable(Rng& rng) {
        if (rng.below(4) == 0) {
            snapshot_.servable.reset();
            return;
        }
        snapshot_.servable.emplace();
        for (std::uint64_t host = 0; host < 6; ++host) {
            if (rng.below(4) != 0) {
                snapshot_.servable->insert(ip("192.0.2." + std::to_string(host)));
                snapshot_.servable->insert(ip("2001:db8::" + std::to_string(host)));
            }
        }
    }
    void edit_node(Rng& rng) {
        kube::Node& node = add_node("a");
        node.network_unavailable = rng.below(6) == 0;
        node.meta.labels["rack"] = std::to_string(rng.below(2));
    }
    void edit_advertisement(Rng& rng) {
        while (config_.bgp_advertisements.size() < 4) {
            add_advertisement("more" + std::to_string(config_.bgp_advertisements.size()));
        }
        config::BgpAdvertisement& one = config_.bgp_advertisements[rng.below(4)];
        const std::uint8_t lengths[] = {32, 32, 24, 30};
        one.aggregation_length = lengths[rng.below(4)];
        one.aggregation_length_v6 = rng.below(2) == 0 ? 64 : 128;
        one.local_pref.reset();
        if (rng.below(4) == 0) {
            one.local_pref = static_cast<std::uint32_t>(100 + rng.below(2));
        }
        one.communities.standard = {static_cast<std::uint32_t>(rng.below(3))};
        one.link_bandwidth = rng.below(2) == 0;
        const std::vector<std::string> peers[] = {{}, {"r1"}, {"r1", "r2"}};
        one.peers = peers[rng.below(3)];
        one.service_selectors.clear();
        if (rng.below(2) == 0) {
            one.service_selectors = {selector("app", "s" + std::to_string(rng.below(2)))};
        }
        one.node_selectors.clear();
        if (rng.below(4) == 0) {
            one.node_selectors = {selector("rack", "1")};
        }
    }
    void edit_pools(Rng& rng) {
        const char* const ranges[] = {"192.0.2.0/24", "192.0.2.0/30", "203.0.113.0/24"};
        config_.pools.front() = pool("lan", ranges[rng.below(3)]);
    }
    void edit_peers(Rng& rng) {
        config::BgpPeer& peer = config_.bgp_peers[rng.below(2)];
        peer.node_selectors.clear();
        if (rng.below(2) == 0) {
            peer.node_selectors = {selector("rack", "0")};
        }
    }
};

// What applying the changes has made of the routes a peer would see.
void follow(const BgpChanges& changes, std::map<net::Prefix, BgpPaths>& routes) {
    for (const auto& upsert : changes.upsert) {
        routes[upsert.prefix] = *upsert.paths;
    }
    for (const net::Prefix& prefix : changes.remove) {
        ASSERT_EQ(routes.erase(prefix), 1U) << "never announced: " << to_string(prefix);
    }
}

class BgpPropertyTest : public World, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(BgpPropertyTest, IncrementalEqualsFullAndTheChangesLeadThere) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    constexpr int kEdits = 120;
    Rng rng(GetParam());
    std::map<net::Prefix, BgpPaths> applied;
    for (int i = 0; i < kEdits; ++i) {
        for (std::uint64_t edits = 1 + rng.below(3); edits > 0; --edits) {
            edit(rng);
        }
        follow(synced(), applied);
        const BgpPlan wanted = full();
        const BgpPlan& plan = planner_.plan();
        ASSERT_EQ(plan.routes, wanted.routes);
        ASSERT_EQ(plan.peers, wanted.peers);
        ASSERT_EQ(plan.services.size(), wanted.services.size());
        for (const auto& [key, service] : wanted.services) {
            ASSERT_EQ(*plan.services.at(key), *service) << to_string(key);
        }
        ASSERT_EQ(applied.size(), wanted.routes.size());
        for (const auto& [prefix, route] : wanted.routes) {
            ASSERT_EQ(applied.at(prefix), *route.paths()) << to_string(prefix);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, BgpPropertyTest, testing::Range<std::uint64_t>(0, 40));

// Whatever the rules are, these hold for every address.
class BgpLawTest : public World, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(BgpLawTest, AnAddressHasEitherRoutesThatContainItOrAReason) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    Rng rng(GetParam());
    for (int i = 0; i < 60; ++i) {
        edit(rng);
    }
    const BgpPlan plan = bgp();
    for (const auto& [key, service] : plan.services) {
        for (const BgpAddress& address : service->addresses) {
            EXPECT_NE(address.prefixes.empty(), address.why_not == std::nullopt);
            for (const net::Prefix& prefix : address.prefixes) {
                EXPECT_TRUE(prefix.contains(address.address));
                EXPECT_TRUE(plan.routes.contains(prefix)) << to_string(prefix);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, BgpLawTest, testing::Range<std::uint64_t>(0, 40));

}  // namespace
}  // namespace steelyard::speaker_plan
