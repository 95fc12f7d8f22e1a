#include "common/config/state.hpp"

#include "common/config/config_test_support.hpp"

#include <gmock/gmock.h>

#include <chrono>

namespace steelyard::config {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;

const WallTime kStart = WallTime(seconds(1'000'000));

const StateOf kController{kNamespace, ""};
const StateOf kSpeaker{kNamespace, "node-1", kube::PodOwner{"speaker-x", "uid-1"}};

StateInput input_of(const Objects& objects) {
    StateInput input;
    input.known = true;
    input.problems = parse(objects).problems;
    return input;
}

StateInput valid() {
    return input_of({});
}

StateInput invalid() {
    Objects objects;
    objects.pools = {pool("a", {"oops"}), pool("b", {})};
    return input_of(objects);
}

const kube::Condition& condition_of(const kube::ConfigurationState& state) {
    return state.conditions.at(0);
}

TEST(StateTest, TheControllersIsNamedAndLabelledByItsComponent) {
    const auto state = desired_state(kController, valid(), std::nullopt, kStart);
    EXPECT_EQ(to_string(state.meta.key), "metallb-system/controller");
    EXPECT_EQ(state.meta.labels, (kube::Labels{{"metallb.io/component-type", "controller"}}));
    EXPECT_EQ(condition_of(state).type, "poolReconcilerValid");
}

TEST(StateTest, ASpeakersIsThatOfItsNodeAndGoesWithItsPod) {
    const auto state = desired_state(kSpeaker, valid(), std::nullopt, kStart);
    EXPECT_EQ(to_string(state.meta.key), "metallb-system/speaker-node-1");
    EXPECT_EQ(
        state.meta.labels,
        (kube::Labels{{"metallb.io/component-type", "speaker"}, {"metallb.io/node-name", "node-1"}})
    );
    EXPECT_EQ(state.owner, kSpeaker.owner);
    EXPECT_EQ(condition_of(state).type, "configReconcilerValid");
}

TEST(StateTest, ARightConfigurationIsValid) {
    const auto state = desired_state(kController, valid(), std::nullopt, kStart);
    EXPECT_EQ(state.result, "Valid");
    EXPECT_EQ(state.error_summary, "");
    EXPECT_TRUE(condition_of(state).status);
    EXPECT_EQ(condition_of(state).reason, "Reconciled");
    EXPECT_EQ(condition_of(state).last_transition, kStart);
}

TEST(StateTest, AWrongOneIsInvalidWithEveryMistakeOnALine) {
    StateInput input = invalid();
    input.unreadable = {make_error(Errc::Invalid, "BGPPeer metallb-system/x: spec.myASN: ...")};
    const auto state = desired_state(kController, input, std::nullopt, kStart);
    EXPECT_EQ(state.result, "Invalid");
    EXPECT_THAT(
        state.error_summary,
        AllOf(
            HasSubstr("BGPPeer metallb-system/x: spec.myASN: ...\nIPAddressPool metallb-system/a"),
            HasSubstr("\nIPAddressPool metallb-system/b: spec.addresses")
        )
    );
    EXPECT_FALSE(condition_of(state).status);
    EXPECT_EQ(condition_of(state).reason, "ConfigurationError");
    EXPECT_EQ(condition_of(state).message, state.error_summary);
}

TEST(StateTest, AnObjectThatCannotBeReadIsEnoughToBeInvalid) {
    StateInput input = valid();
    input.unreadable = {make_error(Errc::Invalid, "BGPPeer metallb-system/x: no good")};
    EXPECT_EQ(desired_state(kController, input, std::nullopt, kStart).result, "Invalid");
}

TEST(StateTest, WhatIsNotKnownIsUnknown) {
    const auto early = desired_state(kController, {}, std::nullopt, kStart);
    EXPECT_EQ(early.result, "Unknown");
    EXPECT_EQ(condition_of(early).reason, "UnknownError");
    StateInput input = invalid();
    input.failure = "GET /apis/metallb.io: 500";
    const auto failed = desired_state(kController, input, std::nullopt, kStart);
    EXPECT_EQ(failed.result, "Unknown");
    EXPECT_EQ(failed.error_summary, input.failure);
}

TEST(StateTest, TheTimeMovesOnlyWithTheStatus) {
    const WallTime later = kStart + seconds(60);
    const auto first = desired_state(kController, valid(), std::nullopt, kStart);
    const auto same = desired_state(kController, valid(), first, later);
    EXPECT_EQ(condition_of(same).last_transition, kStart);
    EXPECT_FALSE(differs(same, first));
    const auto wrong = desired_state(kController, invalid(), same, later);
    EXPECT_EQ(condition_of(wrong).last_transition, later);
    StateInput failed = invalid();
    failed.failure = "no";
    const auto unknown = desired_state(kController, failed, wrong, later + seconds(60));
    EXPECT_EQ(condition_of(unknown).last_transition, later);  // False before and after
    EXPECT_TRUE(differs(unknown, wrong));
}

TEST(StateTest, TimesHaveWholeSecondsAsTheServerKeepsThem) {
    const auto state =
        desired_state(kController, valid(), std::nullopt, kStart + milliseconds(700));
    EXPECT_EQ(condition_of(state).last_transition, kStart);
}

// 5.4: what happens to the objects while a daemon watches them.
TEST(StateTest, ErrorsComeAndGoAsObjectsAreMended) {
    Objects objects;
    objects.bgp_peers = {bgp_peer("a"), bgp_peer("b", "192.0.2.2")};
    objects.bgp_peers[0].bfd_profile = "absent";
    objects.bgp_peers[1].my_asn = 0;
    auto state = desired_state(kController, input_of(objects), std::nullopt, kStart);
    EXPECT_THAT(
        state.error_summary, AllOf(HasSubstr("/a: spec.bfdProfile"), HasSubstr("/b: spec.myASN"))
    );
    objects.bgp_peers.pop_back();
    state = desired_state(kController, input_of(objects), state, kStart + seconds(1));
    EXPECT_EQ(state.result, "Invalid");
    EXPECT_THAT(state.error_summary, testing::Not(HasSubstr("/b: ")));
    objects.bfd_profiles = {named<kube::BfdProfile>("absent")};
    state = desired_state(kController, input_of(objects), state, kStart + seconds(2));
    EXPECT_EQ(state.result, "Valid");
    objects.bfd_profiles.clear();
    state = desired_state(kController, input_of(objects), state, kStart + seconds(3));
    EXPECT_EQ(state.result, "Invalid");
    EXPECT_EQ(condition_of(state).last_transition, kStart + seconds(3));
}

TEST(StateTest, ACommunityThatAppearsHeals) {
    Objects objects;
    objects.bgp_advertisements = {bgp_ad("all")};
    objects.bgp_advertisements[0].communities = {"near"};
    EXPECT_EQ(
        desired_state(kController, input_of(objects), std::nullopt, kStart).result, "Invalid"
    );
    objects.communities = {named<kube::Community>("c")};
    objects.communities[0].communities = {{"near", "64512:1"}};
    EXPECT_EQ(desired_state(kController, input_of(objects), std::nullopt, kStart).result, "Valid");
}

TEST(StateTest, AMistakeIsThatOfTheNodesItConcerns) {
    Objects objects;
    objects.bgp_peers = {bgp_peer("a")};
    objects.bgp_peers[0].password_secret = "key";
    objects.bgp_peers[0].node_selectors = {label("rack", "1")};
    objects.secrets.emplace();
    objects.secrets->push_back(named<kube::Secret>("key"));
    objects.secrets->back().type = "Opaque";
    objects.scope = Scope{"node-1", {{"rack", "1"}}};
    EXPECT_THAT(
        desired_state(kSpeaker, input_of(objects), std::nullopt, kStart).error_summary,
        HasSubstr("the Secret has type Opaque")
    );
    objects.scope = Scope{"node-1", {{"rack", "2"}}};  // relabelled, or another node
    EXPECT_EQ(desired_state(kSpeaker, input_of(objects), std::nullopt, kStart).result, "Valid");
}

TEST(StateTest, ANodeThatIsRelabelledMeetsAConflict) {
    Objects objects;
    objects.bgp_peers = {bgp_peer("a"), bgp_peer("b")};
    objects.bgp_peers[0].node_selectors = {label("rack", "1")};
    objects.bgp_peers[1].node_selectors = {label("zone", "x")};
    objects.scope = Scope{"node-1", {{"rack", "1"}}};
    EXPECT_EQ(desired_state(kSpeaker, input_of(objects), std::nullopt, kStart).result, "Valid");
    objects.scope->labels["zone"] = "x";
    EXPECT_EQ(desired_state(kSpeaker, input_of(objects), std::nullopt, kStart).result, "Invalid");
}

TEST(StateTest, AVeryLongListIsCutAtALine) {
    Objects objects;
    for (int i = 0; i < 2000; ++i) {
        objects.pools.push_back(pool("pool-" + std::to_string(i), {"oops"}));
    }
    const auto state = desired_state(kController, input_of(objects), std::nullopt, kStart);
    EXPECT_LE(state.error_summary.size(), 32768U);
    const std::size_t last = state.error_summary.rfind('\n');
    EXPECT_THAT(state.error_summary.substr(last + 1), testing::MatchesRegex("and [0-9]+ more"));
}

struct Edit {
    const char* name;
    void (*edit)(kube::ConfigurationState& state);
    bool needs_writing;
};

class StateDiffersTest : public testing::TestWithParam<Edit> {};

TEST_P(StateDiffersTest, FromWhatItShouldSay) {
    const auto desired = desired_state(kSpeaker, invalid(), std::nullopt, kStart);
    kube::ConfigurationState existing = desired;
    GetParam().edit(existing);
    EXPECT_EQ(differs(desired, existing), GetParam().needs_writing);
}

INSTANTIATE_TEST_SUITE_P(
    Config,
    StateDiffersTest,
    testing::Values(
        Edit{"untouched", [](kube::ConfigurationState&) {}, false},
        Edit{"result", [](kube::ConfigurationState& state) { state.result = "Valid"; }, true},
        Edit{"summary", [](kube::ConfigurationState& state) { state.error_summary = ""; }, true},
        Edit{
            "no_condition",
            [](kube::ConfigurationState& state) { state.conditions.clear(); },
            true},
        Edit{
            "another_condition",
            [](kube::ConfigurationState& state) {
                state.conditions.push_back({"other", true, "R", "", 0, kStart});
            },
            false},
        Edit{
            "message",
            [](kube::ConfigurationState& state) { state.conditions[0].message = "x"; },
            true},
        Edit{"no_label", [](kube::ConfigurationState& state) { state.meta.labels.clear(); }, true},
        Edit{
            "another_label",
            [](kube::ConfigurationState& state) { state.meta.labels["x"] = "y"; },
            false},
        Edit{
            "another_owner",
            [](kube::ConfigurationState& state) { state.owner->uid = "old"; },
            true}
    ),
    [](const auto& param) { return param.param.name; }
);

}  // namespace
}  // namespace steelyard::config
