#include "speaker/app/node_meta.hpp"

#include <gtest/gtest.h>

namespace steelyard::speaker {
namespace {

TEST(NodeMetaTest, RoundTrips) {
    for (const bool ready : {false, true}) {
        const NodeMeta meta{ready};
        EXPECT_EQ(decode_node_meta(encode(meta)), meta);
    }
}

TEST(NodeMetaTest, AForeignSpeakersMetaIsNothing) {
    const wire::Bytes other{std::byte{'S'}, std::byte{'X'}, std::byte{1}, std::byte{1}};

    EXPECT_EQ(decode_node_meta({}), std::nullopt);
    EXPECT_EQ(decode_node_meta(other), std::nullopt);
    EXPECT_EQ(decode_node_meta(std::span(other).first(3)), std::nullopt);
}

TEST(NodeMetaTest, ALaterVersionMayAppend) {
    wire::Bytes later = encode(NodeMeta{true});
    later[2] = std::byte{2};
    later.push_back(std::byte{9});

    EXPECT_EQ(decode_node_meta(later), NodeMeta{true});
}

}  // namespace
}  // namespace steelyard::speaker
