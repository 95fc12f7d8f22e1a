#include "speaker/app/heal.hpp"

#include <gtest/gtest.h>

namespace steelyard::speaker {
namespace {

TEST(HealTest, OnlyALiveMemberReturns) {
    gossip::Member node;
    node.name = "a";
    EXPECT_TRUE(has_returned({"a", "b"}, {"b"}, {node}));
    EXPECT_FALSE(has_returned({"a"}, {"a"}, {node}));
    EXPECT_FALSE(has_returned({}, {}, {node}));
    node.state = gossip::MemberState::Dead;
    EXPECT_FALSE(has_returned({"a"}, {}, {node})) << "its verdict ended with it";
}

}  // namespace
}  // namespace steelyard::speaker
