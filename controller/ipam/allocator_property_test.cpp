#include "common/base/rng.hpp"
#include "controller/ipam/allocator.hpp"
#include "controller/ipam/ipam_test_support.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

// Random histories against a model that knows only who was told which address.
namespace steelyard::ipam {
namespace {

using test::ip;
using test::pool;
using test::pools;

struct History {
    explicit History(std::uint64_t seed) : rng(seed) {
        allocator.set_pools(
            pools({pool("a", {"10.0.0.0/28", "fd00::/125"}), pool("b", {"10.0.1.4-10.0.1.9"})})
        );
    }

    Request random_request() {
        Request wanted = test::request("s" + std::to_string(rng.below(40)));
        wanted.sharing.ports = {
            {net::Protocol::Tcp, static_cast<std::uint16_t>(80 + rng.below(4))}};
        if (rng.below(3) == 0) {
            wanted.sharing.key = rng.below(2) == 0 ? "x" : "y";
        }
        if (rng.below(4) == 0) {
            wanted.families = {net::Family::V4, net::Family::V6};
            wanted.policy = kube::IpFamilyPolicy::PreferDualStack;
        } else if (rng.below(4) == 0) {
            wanted.addresses = {ip("10.0.0." + std::to_string(rng.below(20)))};
        }
        return wanted;
    }

    void step() {
        const Request wanted = random_request();
        if (requests.contains(wanted.service)) {
            EXPECT_TRUE(allocator.release(wanted.service));
            requests.erase(wanted.service);
            return;
        }
        if (allocator.allocate(wanted)) {
            requests[wanted.service] = wanted;
        }
    }

    // Any two holders of one address must be allowed to share it.
    void expect_no_theft() const {
        std::map<net::IpAddress, std::vector<const Request*>> holders;
        for (const auto& [key, wanted] : requests) {
            const auto held = allocator.find(key);
            ASSERT_TRUE(held);
            for (const net::IpAddress& address : held->addresses) {
                for (const Request* other : holders[address]) {
                    EXPECT_FALSE(wanted.sharing.key.empty());
                    EXPECT_EQ(wanted.sharing.key, other->sharing.key);
                    EXPECT_NE(wanted.sharing.ports, other->sharing.ports);
                }
                holders[address].push_back(&wanted);
            }
        }
        std::uint64_t counted = 0;
        for (const PoolCount& count : allocator.counts()) {
            counted += count.v4.assigned + count.v6.assigned;
        }
        EXPECT_EQ(counted, holders.size());
    }

    Rng rng;
    Allocator allocator;
    std::map<kube::ObjectKey, Request> requests;
};

class AllocatorPropertyTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(AllocatorPropertyTest, NoAddressIsGivenTwiceAndCountsAreExact) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    History history(GetParam());

    for (int i = 0; i < 400; ++i) {
        history.step();
        ASSERT_NO_FATAL_FAILURE(history.expect_no_theft());
    }
}

TEST_P(AllocatorPropertyTest, ReleasingEveryoneFreesEverything) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    History history(GetParam());
    for (int i = 0; i < 200; ++i) {
        history.step();
    }

    for (const auto& [key, wanted] : history.requests) {
        history.allocator.release(key);
    }

    EXPECT_EQ(history.allocator.counts().at(0).v4, (FamilyCount{16, 0}));
    std::set<net::IpAddress> given;
    for (int i = 0; i < 22; ++i) {
        const auto verdict = history.allocator.allocate(test::request("n" + std::to_string(i)));
        ASSERT_TRUE(verdict);
        given.insert(verdict->addresses.begin(), verdict->addresses.end());
    }
    EXPECT_EQ(given.size(), 22U);
    EXPECT_FALSE(history.allocator.allocate(test::request("one-too-many")));
}

TEST_P(AllocatorPropertyTest, AdoptingEveryoneAfterARestartGivesTheSameTable) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    History before(GetParam());
    for (int i = 0; i < 200; ++i) {
        before.step();
    }
    History after(GetParam());

    for (const auto& [key, wanted] : before.requests) {
        const Assignment held = *before.allocator.find(key);
        const auto adopted = after.allocator.adopt(wanted, held.addresses);
        ASSERT_TRUE(adopted) << adopted.error().message;
        EXPECT_EQ(*adopted, held);
    }

    EXPECT_EQ(after.allocator.counts(), before.allocator.counts());
    const Request wanted = test::request("next");
    EXPECT_EQ(
        test::texts(after.allocator.allocate(wanted)),
        test::texts(before.allocator.allocate(wanted))
    );
}

INSTANTIATE_TEST_SUITE_P(Seeds, AllocatorPropertyTest, testing::Range<std::uint64_t>(1, 21));

}  // namespace
}  // namespace steelyard::ipam
