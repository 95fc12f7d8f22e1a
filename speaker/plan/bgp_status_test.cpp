#include "speaker/plan/bgp_status.hpp"

#include "speaker/plan/bgp_planner.hpp"
#include "speaker/plan/bgp_test_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace steelyard::speaker_plan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

constexpr const char* kNamespace = "metallb-system";

class BgpStatusTest : public BgpTest {
protected:
    BgpStatuses desired() { return desired_bgp_statuses(scope_, bgp(), facts_); }
    BgpStatusChanges changes() { return diff_bgp_statuses(scope_, desired(), observed_); }
    kube::ServiceBgpStatus only() {
        const BgpStatuses all = desired();
        EXPECT_THAT(all, SizeIs(1));
        return all.begin()->second;
    }
    kube::ServiceBgpStatus& observe(kube::ServiceBgpStatus status) {
        auto shared = std::make_shared<kube::ServiceBgpStatus>(std::move(status));
        observed_[shared->meta.key] = shared;
        return *shared;
    }

    StatusScope scope_{"a", kNamespace, kube::PodOwner{"speaker-x", "uid-1"}};
    std::vector<BgpPeerFacts> facts_ = {{"r1", true, true, 1}, {"r2", true, true, 1}};
    Objects<kube::ServiceBgpStatus> observed_;
};

TEST_F(BgpStatusTest, IsNamedLabelledAndOwnedAsMetalLbDoes) {
    const kube::ServiceBgpStatus status = only();

    EXPECT_EQ(status.meta.key.ns, kNamespace);
    EXPECT_EQ(status.meta.key.name.substr(0, 4), "bgp-");
    EXPECT_THAT(
        status.meta.labels,
        ElementsAre(
            Pair("metallb.io/node", "a"),
            Pair("metallb.io/service-name", "web"),
            Pair("metallb.io/service-namespace", "default")
        )
    );
    EXPECT_EQ(status.owner, scope_.pod);
    EXPECT_EQ(status.node, "a");
    EXPECT_EQ(status.service, (kube::ObjectKey{"default", "web"}));
    EXPECT_THAT(status.peers, ElementsAre("r1", "r2"));
}

TEST_F(BgpStatusTest, ListsOnlyPeersThatWereSentTheRoute) {
    facts_[0].synced = 0;
    EXPECT_THAT(only().peers, ElementsAre("r2"));
    facts_[1].v4 = false;
    EXPECT_THAT(desired(), IsEmpty());
}

TEST_F(BgpStatusTest, ListsOnlyPeersThatAreMeant) {
    first().peers = {"r2", "unknown"};
    EXPECT_THAT(only().peers, ElementsAre("r2"));
}

TEST_F(BgpStatusTest, ListsAPeerThatWasSentOneOfTwoFamilies) {
    add_service("web", {"192.0.2.10", "2001:db8::10"});
    add_slice("web", {"a"}, net::Family::V6);
    facts_[0].v4 = false;
    facts_[1].v4 = facts_[1].v6 = false;
    EXPECT_THAT(only().peers, ElementsAre("r1"));
}

TEST_F(BgpStatusTest, ANewRouteCountsOnceThePeerIsInSync) {
    BgpPlanner planner;
    snapshot_.config = std::make_shared<const config::Config>(config_);
    planner.sync(snapshot_);
    static_cast<void>(planner.update());
    add_service("db", {"192.0.2.20"});
    add_slice("db", {"a"});
    planner.sync(snapshot_);
    const std::uint64_t sequence = planner.update().sequence;

    EXPECT_THAT(desired_bgp_statuses(scope_, planner.plan(), facts_), SizeIs(1));
    facts_[0].synced = sequence;
    EXPECT_THAT(desired_bgp_statuses(scope_, planner.plan(), facts_), SizeIs(2));
}

// Or an edit of `peers` would delete and create anew the objects of all Services.
TEST_F(BgpStatusTest, APeerThatKeepsARouteIsToldOfWhileOthersComeAndGo) {
    BgpPlanner planner;
    const auto peers_after = [&](std::vector<std::string> meant) {
        first().peers = std::move(meant);
        snapshot_.config = std::make_shared<const config::Config>(config_);
        planner.sync(snapshot_);
        static_cast<void>(planner.update());
        const BgpStatuses all = desired_bgp_statuses(scope_, planner.plan(), facts_);
        return all.empty() ? std::vector<std::string>() : all.begin()->second.peers;
    };
    EXPECT_THAT(peers_after({}), ElementsAre("r1", "r2"));
    EXPECT_THAT(peers_after({"r1"}), ElementsAre("r1"));
    EXPECT_THAT(peers_after({"r1", "r2"}), ElementsAre("r1"));
    facts_[1].synced = 3;
    EXPECT_THAT(peers_after({"r1", "r2"}), ElementsAre("r1", "r2"));
    EXPECT_THAT(peers_after({"r2"}), ElementsAre("r2"));
    EXPECT_THAT(peers_after({}), ElementsAre("r2"));
}

TEST_F(BgpStatusTest, EveryServiceOfAnAggregateHasTheSamePeers) {
    add_service("db", {"192.0.2.20"});
    add_slice("db", {"a"});
    first().aggregation_length = 24;
    for (const auto& [key, status] : desired()) {
        EXPECT_THAT(status.peers, ElementsAre("r1", "r2"));
    }
    EXPECT_THAT(desired(), SizeIs(2));
}

TEST_F(BgpStatusTest, CreatesPatchesAndRemovesItsOwn) {
    EXPECT_THAT(changes().create, ElementsAre(only()));

    kube::ServiceBgpStatus& found = observe(only());
    EXPECT_TRUE(changes().empty());

    found.peers = {"r9"};
    EXPECT_THAT(changes().patch_status, ElementsAre(only()));

    snapshot_.services.clear();
    EXPECT_THAT(changes().remove, SizeIs(1));
}

TEST_F(BgpStatusTest, LeavesTheObjectsOfOtherNodesAlone) {
    kube::ServiceBgpStatus theirs = only();
    observe(only());
    theirs.meta.key.name = "bgp-of-b";
    theirs.meta.labels["metallb.io/node"] = theirs.node = "b";
    observe(theirs);
    EXPECT_TRUE(changes().empty());

    snapshot_.services.clear();
    EXPECT_THAT(changes().remove, SizeIs(1));
    EXPECT_THAT(changes().leftovers, IsEmpty());
}

class SessionStateTest : public testing::Test {
protected:
    static kube::BgpSessionState session(const std::string& peer) {
        kube::BgpSessionState state;
        state.peer = peer;
        state.bgp = "Established";
        state.bfd = "N/A";
        state.since = WallTime{} + std::chrono::milliseconds(1500);
        return state;
    }
    SessionStates desired() { return desired_session_states(scope_, sessions_); }
    SessionStateChanges changes() { return diff_session_states(scope_, desired(), observed_); }
    void observe(kube::BgpSessionState state) {
        observed_[state.meta.key] = std::make_shared<const kube::BgpSessionState>(state);
    }

    StatusScope scope_{"a", kNamespace, kube::PodOwner{"speaker-x", "uid-1"}};
    std::vector<kube::BgpSessionState> sessions_ = {session("r1"), session("r2")};
    Objects<kube::BgpSessionState> observed_;
};

TEST_F(SessionStateTest, ThereIsOneForEachPeer) {
    const SessionStates states = desired();

    ASSERT_THAT(states, SizeIs(2));
    for (const auto& [key, state] : states) {
        EXPECT_EQ(key, state.meta.key);
        EXPECT_EQ(key.ns, kNamespace);
        EXPECT_EQ(state.node, "a");
        EXPECT_EQ(state.owner, scope_.pod);
        EXPECT_THAT(
            state.meta.labels,
            ElementsAre(Pair("metallb.io/node", "a"), Pair("steelyard.io/peer", state.peer))
        );
    }
}

TEST_F(SessionStateTest, NodesWithTheSamePeerHaveObjectsOfTheirOwn) {
    const SessionStates here = desired();
    scope_.node_name = "b";
    for (const auto& [key, state] : desired()) {
        EXPECT_FALSE(here.contains(key));
        observe(state);
    }
    scope_.node_name = "a";
    EXPECT_THAT(changes().create, SizeIs(2));
    EXPECT_THAT(changes().remove, IsEmpty());
}

TEST_F(SessionStateTest, IsPatchedWhenTheSessionChangesAndNotForAFractionOfASecond) {
    for (const auto& [key, state] : desired()) {
        observe(state);
    }
    sessions_[0].since = WallTime{} + std::chrono::milliseconds(1000);
    EXPECT_TRUE(changes().empty());

    sessions_[0].bgp = "Active";
    sessions_[0].reason = "HoldTimerExpired";
    ASSERT_THAT(changes().patch_status, SizeIs(1));
    EXPECT_EQ(changes().patch_status[0].peer, "r1");
}

TEST_F(SessionStateTest, GoesWithItsPeer) {
    for (const auto& [key, state] : desired()) {
        observe(state);
    }
    sessions_.pop_back();
    EXPECT_THAT(changes().remove, SizeIs(1));
}

TEST_F(SessionStateTest, AnObjectWithoutItsStatusGetsIt) {
    sessions_.pop_back();
    kube::BgpSessionState bare;
    bare.meta = desired().begin()->second.meta;
    bare.owner = scope_.pod;
    observe(bare);

    EXPECT_THAT(changes().patch_status, SizeIs(1));
    EXPECT_THAT(changes().create, IsEmpty());
}

// Its label holds the start of the name only.
TEST_F(SessionStateTest, AnObjectOfALongNameWithoutItsStatusGetsIt) {
    sessions_ = {session(std::string(100, 'r'))};
    kube::BgpSessionState bare;
    bare.meta = desired().begin()->second.meta;
    bare.owner = scope_.pod;
    observe(bare);

    EXPECT_THAT(changes().patch_status, SizeIs(1));
    EXPECT_THAT(changes().remove, IsEmpty());
}

}  // namespace
}  // namespace steelyard::speaker_plan
