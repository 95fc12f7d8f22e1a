#include "speaker/app/conflicts.hpp"

#include <gtest/gtest.h>

namespace steelyard::speaker {
namespace {

using namespace std::chrono_literals;

TEST(ConflictsTest, OneThatGoesOnIsNewOnceAndOneThatIsHeardNoMoreIsOver) {
    const speaker_plan::Conflict conflict{
        net::IpAddress::parse("192.0.2.1").value(),
        net::MacAddress::parse("02:00:00:00:00:09").value()};
    Conflicts conflicts;
    const Instant start{};

    EXPECT_TRUE(conflicts.note(conflict, start));
    EXPECT_FALSE(conflicts.note(conflict, start + 10s));
    EXPECT_FALSE(conflicts.expire(start + 69s));
    EXPECT_EQ(conflicts.current().size(), 1U);
    EXPECT_TRUE(conflicts.expire(start + 70s));
    EXPECT_TRUE(conflicts.current().empty());
    EXPECT_TRUE(conflicts.note(conflict, start + 80s));
    EXPECT_EQ(conflicts.totals().at(conflict.ip), 3U);
}

}  // namespace
}  // namespace steelyard::speaker
