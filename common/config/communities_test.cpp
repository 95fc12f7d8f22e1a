#include "common/config/communities.hpp"

#include <gmock/gmock.h>

namespace steelyard::config {
namespace {

using testing::ElementsAre;

TEST(CommunitiesTest, StandardOnesAreTwoHalvesOrARegisteredName) {
    struct Row {
        const char* text;
        std::uint32_t value;
    };
    for (const Row& row : {
             Row{"64512:100", 0xFC000064},
             Row{"0:0", 0},
             Row{"65535:65535", 0xFFFFFFFF},
             Row{"007:1", 0x00070001},
             Row{"no-export", 0xFFFFFF01},
             Row{"no-advertise", 0xFFFFFF02},
             Row{"no-export-subconfed", 0xFFFFFF03},
             Row{"no-peer", 0xFFFFFF04},
             Row{"graceful-shutdown", 0xFFFF0000},
             Row{"blackhole", 0xFFFF029A},
         }) {
        const auto parsed = parse_community(row.text);
        ASSERT_TRUE(parsed) << row.text;
        EXPECT_THAT(parsed->standard, ElementsAre(row.value)) << row.text;
        EXPECT_TRUE(parsed->large.empty() && parsed->extended.empty()) << row.text;
    }
}

TEST(CommunitiesTest, LargeOnesAreThreeNumbersOf32Bits) {
    const auto parsed = parse_community("large:64512:0:4294967295");
    ASSERT_TRUE(parsed);
    EXPECT_THAT(parsed->large, ElementsAre(LargeCommunity{64512, 0, 4294967295}));
}

TEST(CommunitiesTest, ExtendedOnesTakeTheFormTheirAdministratorNeeds) {
    using Bytes = std::array<std::uint8_t, 8>;
    struct Row {
        const char* text;
        Bytes bytes;
    };
    for (const Row& row : {
             Row{"extended:rt:64512:70000", Bytes{0, 2, 0xFC, 0, 0, 1, 0x11, 0x70}},
             Row{"extended:soo:64512:1", Bytes{0, 3, 0xFC, 0, 0, 0, 0, 1}},
             Row{"extended:rt:4200000000:9", Bytes{2, 2, 0xFA, 0x56, 0xEA, 0, 0, 9}},
             Row{"extended:rt:192.0.2.1:257", Bytes{1, 2, 192, 0, 2, 1, 1, 1}},
         }) {
        const auto parsed = parse_community(row.text);
        ASSERT_TRUE(parsed) << row.text;
        EXPECT_THAT(parsed->extended, ElementsAre(ExtendedCommunity{row.bytes})) << row.text;
    }
}

TEST(CommunitiesTest, AnythingElseIsNone) {
    for (const char* text : {
             "",
             ":",
             "1",
             "1:",
             ":1",
             "1:2:3",
             "65536:1",
             "1:65536",
             "-1:1",
             "+1:1",
             " 1:1",
             "0x1:1",
             "NO-EXPORT",
             "large",
             "large:1:2",
             "large:1:2:3:4",
             "large:1:2:4294967296",
             "extended:rt:1",
             "extended:xx:1:1",
             "extended:rt:1:4294967296",
             "extended:rt:65536:65536",
             "extended:rt:192.0.2.1:65536",
             "extended:rt:fd00::1:1",
             "extended:rt:4294967296:1",
         }) {
        EXPECT_FALSE(parse_community(text)) << text;
    }
}

TEST(CommunitiesTest, TextAndValueAreTheSameThing) {
    for (const char* text : {"64512:100", "0:0", "no-peer", "graceful-shutdown"}) {
        EXPECT_EQ(format_community(parse_community(text)->standard.at(0)), text);
    }
    EXPECT_EQ(format_community(parse_community("large:1:2:3")->large.at(0)), "large:1:2:3");
    for (const char* text :
         {"extended:rt:64512:70000",
          "extended:soo:4200000000:9",
          "extended:soo:192.0.2.1:257",
          "extended:rt:0:0"}) {
        EXPECT_EQ(format_community(parse_community(text)->extended.at(0)), text);
    }
}

TEST(CommunitiesTest, MergingSortsAndKeepsEachOnce) {
    Communities all;
    for (const char* text :
         {"2:2", "1:1", "2:2", "large:1:1:1", "extended:rt:1:1", "large:0:1:1"}) {
        all.merge(*parse_community(text));
    }
    EXPECT_THAT(all.standard, ElementsAre(0x00010001U, 0x00020002U));
    EXPECT_THAT(all.large, ElementsAre(LargeCommunity{0, 1, 1}, LargeCommunity{1, 1, 1}));
    EXPECT_EQ(all.extended.size(), 1U);
}

}  // namespace
}  // namespace steelyard::config
