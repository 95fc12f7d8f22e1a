#include "speaker/plan/plan_test_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::speaker_plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ExplainTest : public PlanTest {
protected:
    std::optional<Explanation> explained(std::string_view address = "192.0.2.10") {
        snapshot_.config = std::make_shared<const config::Config>(config_);
        return explain(snapshot_, ip(address));
    }
};

TEST_F(ExplainTest, ListsCandidatesInOrderAndWhyTheRestAreNone) {
    member("a").ready = false;
    config_.l2_advertisements[0].preferred_nodes = {{3, selector("name", "c")}};

    const Explanation explanation = explained().value();

    EXPECT_EQ(explanation.plan, planned().addresses.at(ip("192.0.2.10")));
    EXPECT_THAT(explanation.candidates, ElementsAre("c", "b"));
    EXPECT_THAT(
        explanation.excluded, ElementsAre(Explanation::Excluded{"a", elect::Reason::NotReady})
    );
    EXPECT_EQ(
        to_string(explanation),
        "192.0.2.10 of default/web\n"
        "owner: c\n"
        "order: rendezvous hash with bounded load\n"
        "1. c\n"
        "2. b\n"
        "no candidate: a: its speaker has not programmed its kernel yet\n"
    );
}

TEST_F(ExplainTest, SaysWhyAnAddressWasNotPutToElection) {
    snapshot_.slices.clear();

    const Explanation explanation = explained().value();

    EXPECT_THAT(explanation.candidates, IsEmpty());
    EXPECT_THAT(
        to_string(explanation), HasSubstr("owner: none, not announced: the Service has no")
    );
}

TEST_F(ExplainTest, NamesMetalLbsOrderInAMixedRing) {
    member("b").steelyard_capable = false;
    EXPECT_THAT(to_string(explained().value()), HasSubstr("order: MetalLB's hash\n"));
}

TEST_F(ExplainTest, KnowsNothingOfAForeignAddress) {
    EXPECT_EQ(explained("192.0.2.99"), std::nullopt);
}

}  // namespace
}  // namespace steelyard::speaker_plan
