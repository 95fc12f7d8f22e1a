#include "speaker/gossip/wire/lzw.hpp"

#include "common/base/rng.hpp"
#include "speaker/gossip/wire/packet.hpp"
#include "speaker/gossip/wire/testing.hpp"

#include <gtest/gtest.h>

namespace steelyard::gossip_wire {
namespace {

// Bytes every language can generate alike, so that a checksum pins the packed form.
wire::Bytes sixty_four_symbols(std::size_t size) {
    wire::Bytes out;
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < size; ++i) {
        state = state * 1664525U + 1013904223U;
        out.push_back(static_cast<std::byte>(state >> 24U & 0x3fU));
    }
    return out;
}

TEST(LzwTest, PacksExactlyAsGoDoes) {
    EXPECT_EQ(lzw_compress(bytes_of("abababababababab")), from_hex("00c388114870a0c1820101"));
    EXPECT_EQ(lzw_compress({}), from_hex("000302"));
}

TEST(LzwTest, PacksExactlyAsGoDoesWhenTheTableOverflows) {
    const wire::Bytes packed = lzw_compress(sixty_four_symbols(200000));

    EXPECT_EQ(packed.size(), 208608U);
    EXPECT_EQ(crc32(packed), 0x48ea24f1U);
}

TEST(LzwTest, AnyBytesSurviveTheRoundTrip) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE(seed);
        Rng rng(seed);
        wire::Bytes plain(rng.below(20000));
        const std::uint64_t symbols = 1 + rng.below(256);
        for (std::byte& byte : plain) {
            byte = static_cast<std::byte>(rng.below(symbols));
        }

        const auto back = lzw_decompress(lzw_compress(plain), plain.size());

        ASSERT_TRUE(back.has_value());
        EXPECT_EQ(*back, plain);
    }
}

TEST(LzwTest, ABombIsRefusedAtTheLimit) {
    const wire::Bytes packed = lzw_compress(wire::Bytes(1 << 20));
    ASSERT_LT(packed.size(), 4096U);

    EXPECT_FALSE(lzw_decompress(packed, 65536).has_value());
}

TEST(LzwTest, EveryTruncationIsRefused) {
    const wire::Bytes packed = lzw_compress(sixty_four_symbols(3000));
    for (std::size_t size = 0; size + 1 < packed.size(); ++size) {
        EXPECT_FALSE(lzw_decompress(std::span(packed).first(size), 1 << 20).has_value()) << size;
    }
}

TEST(LzwTest, GarbageNeverCrashes) {
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
        Rng rng(seed);
        wire::Bytes garbage(rng.below(64));
        for (std::byte& byte : garbage) {
            byte = static_cast<std::byte>(rng.next() & 0xffU);
        }
        const auto out = lzw_decompress(garbage, 4096);
        if (out) {
            EXPECT_LE(out->size(), 4096U);
        }
    }
}

}  // namespace
}  // namespace steelyard::gossip_wire
