#include "speaker/io/dataplane/leftovers.hpp"

#include <gmock/gmock.h>

namespace steelyard::dataplane {
namespace {

using proxy::Mode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(LeftoversTest, WhatKubeProxyHasTooTellsNothing) {
    EXPECT_THAT(leftovers_among({}), IsEmpty());
    EXPECT_THAT(leftovers_among({"KUBE-CLUSTER-IP", "KUBE-6-LOOP-BACK", "cali40all"}), IsEmpty());
}

TEST(LeftoversTest, ASetOfOursTellsTheModeThatMadeIt) {
    EXPECT_THAT(
        leftovers_among({"KUBE-CLUSTER-IP", "KUBE-INTERNAL-MARK"}),
        ElementsAre(Pair(Mode::Full, "KUBE-INTERNAL-MARK"))
    );
    EXPECT_THAT(
        leftovers_among({"KUBE-CLUSTER-IP", "SYLB-CLUSTER-IP"}),
        ElementsAre(Pair(Mode::LoadBalancer, "SYLB-CLUSTER-IP"))
    );
    EXPECT_THAT(leftovers_among({"KUBE-6-NO-LOCAL", "SYLB-6-NO-LOCAL"}), testing::SizeIs(2));
}

}  // namespace
}  // namespace steelyard::dataplane
