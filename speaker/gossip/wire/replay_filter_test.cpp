#include "speaker/gossip/wire/replay_filter.hpp"

#include "common/base/rng.hpp"
#include "speaker/gossip/wire/testing.hpp"

#include <gtest/gtest.h>

namespace steelyard::gossip_wire {
namespace {

Key nonce_from(Rng& rng) {
    Key nonce(12);
    for (std::byte& byte : nonce) {
        byte = static_cast<std::byte>(rng.below(256));
    }
    return nonce;
}

TEST(ReplayFilterTest, ANonceIsAdmittedOnce) {
    ReplayFilter filter;
    Rng rng(1);
    const Key nonce = nonce_from(rng);

    EXPECT_TRUE(filter.admit(nonce));
    EXPECT_FALSE(filter.admit(nonce));
    EXPECT_TRUE(filter.admit(nonce_from(rng)));
}

TEST(ReplayFilterTest, ThreeThousandRecentNoncesAreAllRemembered) {
    ReplayFilter filter;
    Rng rng(1);
    std::vector<Key> seen;
    for (int i = 0; i < 3000; ++i) {
        seen.push_back(nonce_from(rng));
        EXPECT_TRUE(filter.admit(seen.back()));
    }

    for (const Key& nonce : seen) {
        EXPECT_FALSE(filter.admit(nonce));
    }
}

}  // namespace
}  // namespace steelyard::gossip_wire
