#include "speaker/proxy/diff/retries.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::proxy {
namespace {

using namespace std::chrono_literals;

const Instant kStart{1h};
const Object kAddress = net::IpAddress::v4(0x0a600001U);
const Object kOther = net::IpAddress::v4(0x0a600002U);

TEST(RetriesTest, EachFailureDoublesTheWaitUpToALimit) {
    Retries retries;
    Instant now = kStart;
    for (const Duration wait : {2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s}) {
        retries.failed(kAddress, "no", now);
        EXPECT_EQ(retries.next(), now + wait);
        EXPECT_TRUE(retries.due(now + wait - 1ms).empty());
        now += wait;
        EXPECT_THAT(retries.due(now), testing::ElementsAre(kAddress));
    }
    EXPECT_EQ(retries.troubles().at(kAddress).attempts, 10U);
}

TEST(RetriesTest, ObjectsWaitEachForItself) {
    Retries retries;
    retries.failed(kAddress, "no", kStart);
    retries.failed(kOther, "no", kStart + 1s);
    EXPECT_EQ(retries.next(), kStart + 2s);
    EXPECT_THAT(retries.due(kStart + 2s), testing::ElementsAre(kAddress));

    retries.done(kAddress);
    EXPECT_EQ(retries.next(), kStart + 3s);
    retries.done(kOther);
    EXPECT_EQ(retries.next(), std::nullopt);
    EXPECT_TRUE(retries.troubles().empty());
}

}  // namespace
}  // namespace steelyard::proxy
