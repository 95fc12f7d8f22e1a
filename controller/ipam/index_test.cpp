#include "controller/ipam/index.hpp"

#include "common/base/rng.hpp"

#include <gtest/gtest.h>

#include <map>

namespace steelyard::ipam {
namespace {

// Hashes that collide a lot, so that probes are long and erasing has much to move.
std::size_t poor_hash(std::uint32_t key) {
    return key % 7;
}

class IndexTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(IndexTest, FindsWhatAMapFindsWhateverWasErased) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    Rng rng(GetParam());
    Index index;
    std::map<std::uint32_t, std::uint32_t>
        model;  // key -> number; the number's key is number - 1000
    const auto find = [&](std::uint32_t key) {
        return index.find(poor_hash(key), [&](std::uint32_t number) {
            return number == key + 1000;
        });
    };
    for (int step = 0; step < 2000; ++step) {
        const auto key = static_cast<std::uint32_t>(rng.below(90));
        if (model.contains(key)) {
            index.erase(poor_hash(key), model[key]);
            model.erase(key);
        } else {
            model[key] = key + 1000;
            index.insert(poor_hash(key), key + 1000);
        }
        ASSERT_EQ(index.size(), model.size());
        for (std::uint32_t other = 0; other < 90; ++other) {
            ASSERT_EQ(find(other), model.contains(other) ? other + 1000 : Index::kNone);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, IndexTest, testing::Range<std::uint64_t>(1, 4));

TEST(IndexTest, OneNumberUnderTwoHashesIsErasedUnderTheRightOne) {
    // A Service with two addresses stands in the index of addresses twice.
    for (std::size_t other = 1; other < 64; ++other) {
        Index index;
        const auto any = [](std::uint32_t) {
            return true;
        };
        index.insert(0, 5);
        index.insert(other, 5);

        index.erase(other, 5);

        EXPECT_EQ(index.find(0, any), 5U) << other;
        EXPECT_EQ(index.find(other, any), Index::kNone) << other;
    }
}

}  // namespace
}  // namespace steelyard::ipam
