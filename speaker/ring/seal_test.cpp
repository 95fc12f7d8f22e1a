#include "speaker/ring/seal.hpp"

#include "common/base/rng.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace steelyard::ring {
namespace {

const std::array<std::byte, 32> kGossipKey{};

Secret key_of(
    std::string_view sender, std::uint64_t se, std::string_view receiver, std::uint64_t re
) {
    return pair_key(extract(kGossipKey), {sender, se}, {receiver, re});
}

std::vector<std::byte> sealed(Cipher& cipher, const Secret& key, std::uint64_t counter) {
    const std::array<std::byte, 4> body = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
    std::vector<std::byte> packet(kHeader + body.size() + kTag);
    encode(Header{NodeId{1}, counter}, std::span(packet).first<kHeader>());
    cipher.seal(key, counter, body, packet);
    return packet;
}

bool opens(
    Cipher& cipher, const Secret& key, std::uint64_t counter, const std::vector<std::byte>& packet
) {
    std::array<std::byte, kMaxBody> body{};
    return cipher.open(key, counter, packet, body);
}

TEST(RingSealTest, EveryPartOfThePairMakesAnotherKey) {
    const std::string longest(kMaxName, 'n');
    const std::set<Secret> keys = {
        key_of("a", 1, "b", 2),
        key_of("b", 2, "a", 1),
        key_of("a", 2, "b", 2),
        key_of("a", 1, "b", 1),
        key_of("ab", 1, "", 2),
        key_of("a", 1, "c", 2),
        key_of(longest, 1, "b", 2),
        pair_key(extract({}), {"a", 1}, {"b", 2}),
    };
    EXPECT_EQ(keys.size(), 8U);
}

TEST(RingSealTest, WhatWasSealedOpensUnderTheSameKeyAndCounterOnly) {
    Cipher cipher;
    const Secret key = key_of("a", 1, "b", 2);
    const auto packet = sealed(cipher, key, 7);

    EXPECT_TRUE(opens(cipher, key, 7, packet));
    EXPECT_FALSE(opens(cipher, key, 8, packet));
    EXPECT_FALSE(opens(cipher, key_of("a", 1, "c", 2), 7, packet));  // another receiver
    EXPECT_FALSE(opens(cipher, key_of("a", 1, "b", 3), 7, packet));  // another life of its
    EXPECT_FALSE(opens(cipher, key_of("a", 9, "b", 2), 7, packet));  // an older life of the sender
    EXPECT_TRUE(opens(cipher, key, 7, packet));
}

TEST(RingSealTest, AnyChangedBitIsNoticed) {
    Cipher cipher;
    const Secret key = key_of("a", 1, "b", 2);
    const auto packet = sealed(cipher, key, 7);
    for (std::size_t i = 0; i < packet.size() * 8; ++i) {
        auto changed = packet;
        changed[i / 8] ^= static_cast<std::byte>(1U << (i % 8));
        EXPECT_FALSE(opens(cipher, key, 7, changed)) << i;
    }
}

TEST(ReplayWindowTest, ACounterIsFreshOnceInWhateverOrder) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        ReplayWindow window;
        std::set<std::uint64_t> seen;
        std::uint64_t highest = 0;
        for (int i = 0; i < 5000; ++i) {
            const std::uint64_t counter = rng.below(highest + 80);
            const bool fresh =
                counter != 0 && !seen.contains(counter) && counter + ReplayWindow::kWidth > highest;
            ASSERT_EQ(window.fresh(counter), fresh) << counter << " after " << highest;
            if (fresh) {
                window.mark(counter);
                seen.insert(counter);
                highest = std::max(highest, counter);
            }
        }
    }
}

TEST(ReplayWindowTest, TheLastCounterThereIsWorks) {
    ReplayWindow window;
    window.mark(~std::uint64_t{0});
    EXPECT_FALSE(window.fresh(~std::uint64_t{0}));
    EXPECT_TRUE(window.fresh(~std::uint64_t{0} - 1));
    EXPECT_FALSE(window.fresh(1));
}

}  // namespace
}  // namespace steelyard::ring
