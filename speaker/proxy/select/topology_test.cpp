#include "speaker/proxy/select/select_test_support.hpp"

namespace steelyard::proxy {
namespace {

using namespace testing_support;

// What is chosen for a client on node a in zone v, unless the row has another zone.
struct Row {
    const char* name;
    std::vector<std::string> endpoints;
    const char* cluster;
    const char* local;
    const char* zone = "v";
};

class TopologyTest : public testing::TestWithParam<Row> {};

TEST_P(TopologyTest, Chooses) {
    const Row& row = GetParam();
    const auto made = slice(row.endpoints);
    const kube::ServicePort port;
    const Candidates candidates = collect(std::span(&made, 1), net::Family::V4, port, "a", {});
    const Selection selection = select(candidates, {"a", row.zone});
    EXPECT_EQ(numbers(selection.cluster.usable), row.cluster);
    EXPECT_EQ(numbers(selection.local.usable), row.local);
    EXPECT_EQ(selection.anywhere, *row.cluster != '\0');
}

INSTANTIATE_TEST_SUITE_P(
    Zones,
    TopologyTest,
    testing::Values(
        Row{"NoHintsMeansEverywhere", {"1@a", "2@b", "3@c"}, "1 2 3", "1"},
        Row{"HintsForThisZone", {"1@a z=v", "2@b z=v", "3@c z=w"}, "1 2", "1"},
        Row{"HintsForThisZoneAlone", {"1@b z=v", "2@c z=w"}, "1", ""},
        Row{"AnEndpointForSeveralZones", {"1@b z=v,w", "2@c z=w,u"}, "1", ""},
        Row{"OneWithoutHintsAndAllAreUsed", {"1@a z=v", "2@b", "3@c z=w"}, "1 2 3", "1"},
        Row{"NoneForThisZoneAndAllAreUsed", {"1@b z=u", "2@c z=w"}, "1 2", ""},
        Row{"AnUnreadyEndpointNeedsNoHint", {"1@b z=v", "2@c z=w", "3@d x"}, "1", ""},
        Row{"AnUnreadyOneMeantForHereCountsForNothing", {"1@b x z=v", "2@c z=w"}, "2", ""},
        Row{"ATerminatingOneNeedsNoHint", {"1@b z=v", "2@c t"}, "1", ""},
        Row{"ANodeWithoutAZone", {"1@a z=v", "2@b z=w"}, "1 2", "1", ""},
        Row{"ANodeInAnUnknownZone", {"1@a z=v", "2@b z=w"}, "1 2", "1", "nowhere"},
        Row{"TheLocalEndpointCanBeMeantForElsewhere", {"1@a z=w", "2@b z=v"}, "2", "1"},
        Row{"EveryOneForHere", {"1@a z=v", "2@b z=v"}, "1 2", "1"}
    ),
    [](const auto& row) { return row.param.name; }
);

INSTANTIATE_TEST_SUITE_P(
    Nodes,
    TopologyTest,
    testing::Values(
        Row{"HintsForThisNode", {"1@a n=a", "2@b n=b"}, "1", "1"},
        Row{"HintsForThisNodeFromAnother", {"1@b n=a", "2@c n=b"}, "1", ""},
        Row{"NodeHintsWinOverZoneHints", {"1@a n=a z=v", "2@b n=b z=v"}, "1", "1"},
        Row{"NoNodeHintForHereFallsBackToTheZone", {"1@b n=b z=v", "2@c n=c z=w"}, "1", ""},
        Row{"OneWithoutANodeHintFallsBackToTheZone",
            {"1@a n=a z=v", "2@b z=v", "3@c z=w"},
            "1 2",
            "1"},
        Row{"NeitherForHereAndAllAreUsed", {"1@b n=b z=u", "2@c n=c z=w"}, "1 2", ""},
        Row{"NodeHintsWithoutZoneHints", {"1@b n=b", "2@c n=c"}, "1 2", ""},
        Row{"SeveralEndpointsForThisNode", {"1@a n=a", "2@a n=a", "3@b n=b"}, "1 2", "1 2"},
        Row{"OneForSeveralNodes", {"1@b n=a,b", "2@c n=c"}, "1", ""},
        Row{"TheZoneIsNotTheNode", {"1@a n=v", "2@b n=a"}, "2", "1"}
    ),
    [](const auto& row) { return row.param.name; }
);

INSTANTIATE_TEST_SUITE_P(
    Terminating,
    TopologyTest,
    testing::Values(
        Row{"NobodyReadyAnywhere", {"1@a t", "2@b t"}, "1 2", "1"},
        Row{"NobodyReadyHere", {"1@a t", "2@b"}, "2", "1"},
        Row{"NobodyReadyElsewhere", {"1@a", "2@b t"}, "1", "1"},
        Row{"NobodyServesHere", {"1@a d", "2@b"}, "2", ""},
        Row{"NobodyServesAtAll", {"1@a d", "2@b x"}, "", ""},
        Row{"NotReadyIsNeverAFallback", {"1@a x", "2@b t"}, "2", ""},
        Row{"TheFallbackKnowsNoHints", {"1@a t z=w", "2@b t z=v"}, "1 2", "1"},
        Row{"HintsForHereOnTerminatingOnesOnly", {"1@a t z=v", "2@b z=w"}, "2", "1"},
        Row{"NoEndpointsAtAll", {}, "", ""}
    ),
    [](const auto& row) { return row.param.name; }
);

}  // namespace
}  // namespace steelyard::proxy
