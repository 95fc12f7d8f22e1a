#include "speaker/bgp/rib/table.hpp"

#include "common/base/rng.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace steelyard::bgp_rib {
namespace {

std::vector<net::Prefix> prefixes_of(net::Family family, std::size_t count) {
    std::vector<net::Prefix> out;
    for (std::uint32_t i = 0; out.size() < count; ++i) {
        if (family == net::Family::V4) {
            out.emplace_back(net::IpAddress::v4(0x0a000000U + (i << 4U)), 28 + i % 5);
        } else {
            const auto base = net::IpAddress::parse("2001:db8::").value();
            out.emplace_back(base.plus(std::uint64_t{i} << 8U), 120 + i % 9);
        }
    }
    return out;
}

class TableTest : public testing::TestWithParam<net::Family> {};

TEST_P(TableTest, FindsWhatIsThereWhateverCameAndWent) {
    Rng rng(11);
    SCOPED_TRACE("seed 11");
    const auto prefixes = prefixes_of(GetParam(), 3000);
    Table table(GetParam());
    std::map<net::Prefix, std::uint32_t> model;

    for (int step = 0; step < 40'000; ++step) {
        const net::Prefix& prefix = prefixes[rng.below(prefixes.size())];
        const auto known = model.find(prefix);
        if (known == model.end()) {
            model[prefix] = table.insert(prefix);
        } else {
            table.erase(known->second);
            model.erase(known);
        }
    }

    EXPECT_EQ(table.size(), model.size());
    for (const net::Prefix& prefix : prefixes) {
        const auto known = model.find(prefix);
        EXPECT_EQ(table.find(prefix), known == model.end() ? kNone : known->second);
        if (known != model.end()) {
            EXPECT_EQ(table.prefix(known->second), prefix);
        }
    }
}

TEST_P(TableTest, TellsPrefixesOfOneAddressApartByLength) {
    Table table(GetParam());
    const net::Prefix prefix = prefixes_of(GetParam(), 1).front();
    const net::Prefix longer(prefix.address(), prefix.length() + 1);

    const std::uint32_t node = table.insert(prefix);

    EXPECT_EQ(table.find(longer), kNone);
    EXPECT_NE(table.insert(longer), node);
}

TEST_P(TableTest, AListKeepsTheOrderOfAppending) {
    Table table(GetParam());
    std::vector<std::uint32_t> nodes;
    for (const net::Prefix& prefix : prefixes_of(GetParam(), 5)) {
        nodes.push_back(table.insert(prefix));
        table.append(nodes.back(), 3);
    }

    for (const std::size_t moved : {2U, 0U, 4U}) {
        table.unlink(nodes[moved]);
        table.append(nodes[moved], 3);
    }

    std::vector<std::uint32_t> order;
    for (std::uint32_t node = table.first(3); node != kNone; node = table[node].next) {
        order.push_back(node);
    }
    EXPECT_EQ(order, (std::vector{nodes[1], nodes[3], nodes[2], nodes[0], nodes[4]}));
    EXPECT_EQ(table.first(2), kNone);
}

TEST(TableMemoryTest, ARouteTakesLessThanHalfOfWhatBirdNeeds) {
    Table table(net::Family::V4);

    for (std::size_t count = 0; count < 100'000; ++count) {
        const auto address = net::IpAddress::v4(static_cast<std::uint32_t>(0x0a000000 + count));
        (void)table.insert(net::Prefix(address, 32));
        if (count > 4096) {
            ASSERT_LT(table.bytes(), (count + 1024) * 42) << count;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Families,
    TableTest,
    testing::Values(net::Family::V4, net::Family::V6),
    [](const auto& tested) { return std::string(to_string(tested.param)); }
);

}  // namespace
}  // namespace steelyard::bgp_rib
