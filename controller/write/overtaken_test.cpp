#include "controller/write/overtaken.hpp"

#include <gtest/gtest.h>

namespace steelyard::controller {
namespace {

const kube::ObjectKey kWeb{"default", "web"};
const kube::ObjectKey kApi{"default", "api"};

TEST(OvertakenTest, KnowsEveryVersionThatWasReplaced) {
    Overtaken overtaken;
    overtaken.add(kWeb, "5");
    overtaken.add(kWeb, "6");

    EXPECT_TRUE(overtaken.contains(kWeb, "5"));
    EXPECT_TRUE(overtaken.contains(kWeb, "6"));
    EXPECT_FALSE(overtaken.contains(kWeb, "7"));
    EXPECT_FALSE(overtaken.contains(kApi, "5"));
}

TEST(OvertakenTest, HoldsAnObjectOnlyUntilTheWatchHasMovedOn) {
    Overtaken overtaken;
    overtaken.add(kWeb, "5");
    overtaken.add(kApi, "8");
    std::map<kube::ObjectKey, std::string> shown{{kWeb, "5"}, {kApi, "9"}};
    const auto show = [&](const kube::ObjectKey& key) {
        return shown[key];
    };

    overtaken.prune(show);
    EXPECT_EQ(overtaken.size(), 2U);  // in order: the first one still waits

    shown[kWeb] = "6";
    overtaken.prune(show);
    EXPECT_EQ(overtaken.size(), 0U);
}

TEST(OvertakenTest, AnObjectThatIsGoneIsForgotten) {
    Overtaken overtaken;
    overtaken.add(kWeb, "5");

    overtaken.prune([](const kube::ObjectKey&) { return std::string(); });

    EXPECT_EQ(overtaken.size(), 0U);
}

}  // namespace
}  // namespace steelyard::controller
