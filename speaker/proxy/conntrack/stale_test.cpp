#include "speaker/proxy/conntrack/stale.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

namespace steelyard::conntrack {
namespace {

using net::Endpoint;
using net::Family;
using net::Protocol;
using proxy::KernelTables;
using proxy::VirtualServerKey;

constexpr std::uint32_t kMark = 0x80001234;

Endpoint at(std::string_view address, std::uint16_t port) {
    return {net::IpAddress::parse(address).value(), port};
}

const Endpoint kVip = at("10.96.0.10", 53);
const Endpoint kPodA = at("10.244.1.2", 5353);
const Endpoint kPodB = at("10.244.2.2", 5353);
const VirtualServerKey kServer{Protocol::Udp, kVip, 0};

Flow flow(const Endpoint& to, const Endpoint& reply_source) {
    Flow result;
    result.client = at("10.244.9.9", 40000);
    result.destination = to;
    result.reply_source = reply_source;
    return result;
}

Lookup lookup(const KernelTables& tables) {
    Lookup result;
    result.real_servers = [&tables](const VirtualServerKey& key) {
        const auto found = tables.virtual_servers.find(key);
        return found == tables.virtual_servers.end() ? nullptr : &found->second.real_servers;
    };
    result.marked = [&tables](const Lookup::OnMember& on_member) {
        for (const auto& [set, members] : tables.sets) {
            for (const auto& [entry, mark] : members) {
                on_member({set, entry}, mark);
            }
        }
    };
    return result;
}

Frontends all(const KernelTables& tables) {
    std::set<VirtualServerKey> keys;
    for (const auto& [key, server] : tables.virtual_servers) {
        keys.insert(key);
    }
    return Frontends::of(lookup(tables), keys);
}

class StaleTest : public testing::Test {
protected:
    StaleTest() { tables_.virtual_servers[kServer].real_servers[kPodA] = 1; }
    [[nodiscard]] bool is_stale(const Flow& flow) const { return all(tables_).is_stale(flow); }
    KernelTables tables_;
};

TEST_F(StaleTest, AFlowToAPresentRealServerStays) {
    EXPECT_FALSE(is_stale(flow(kVip, kPodA)));
}

TEST_F(StaleTest, AFlowToARealServerThatLeftIsStale) {
    EXPECT_TRUE(is_stale(flow(kVip, kPodB)));
    EXPECT_TRUE(is_stale(flow(kVip, at("10.244.1.2", 9999))));  // the target port changed
}

TEST_F(StaleTest, AFlowThatBeganBeforeTheVirtualServerIsStale) {
    EXPECT_TRUE(is_stale(flow(kVip, kVip)));
}

TEST_F(StaleTest, WithoutAnyRealServerEveryFlowIsStale) {
    tables_.virtual_servers[kServer].real_servers = {};
    EXPECT_TRUE(is_stale(flow(kVip, kPodA)));
}

TEST_F(StaleTest, OnlyUdpToAFrontendInTheMainZoneIsLookedAt) {
    EXPECT_FALSE(is_stale(flow(at("10.96.0.10", 54), kPodB)));
    EXPECT_FALSE(is_stale(flow(at("192.0.2.1", 53), kPodB)));
    EXPECT_FALSE(is_stale(flow(kPodB, kPodB)));
    Flow tcp = flow(kVip, kPodB);
    tcp.protocol = Protocol::Tcp;
    EXPECT_FALSE(is_stale(tcp));
    Flow elsewhere = flow(kVip, kPodB);
    elsewhere.zone = 7;
    EXPECT_FALSE(is_stale(elsewhere));
}

TEST_F(StaleTest, ATcpServerOfTheSameEndpointIsNoFrontend) {
    KernelTables tables;
    tables.virtual_servers[{Protocol::Tcp, kVip, 0}].real_servers[kPodA] = 1;
    EXPECT_TRUE(all(tables).empty());
}

TEST_F(StaleTest, RealServersBehindAFrontendsMarkCountToo) {
    proxy::SetEntry entry;
    entry.ip = kVip.address;
    entry.protocol = Protocol::Udp;
    entry.port = kVip.port;
    for (const auto name : {proxy::SetName::InternalMark, proxy::SetName::AffinityMark}) {
        KernelTables tables = tables_;
        tables.sets[{name, Family::V4}][entry] = kMark;
        const VirtualServerKey marked = proxy::by_mark(kMark, Family::V4);
        tables.virtual_servers[marked].real_servers[kPodB] = 1;

        EXPECT_FALSE(all(tables).is_stale(flow(kVip, kPodA)));
        EXPECT_FALSE(all(tables).is_stale(flow(kVip, kPodB)));
        EXPECT_TRUE(all(tables).is_stale(flow(kVip, at("10.244.3.3", 5353))));
        // A change behind the mark concerns the frontends that lead there.
        EXPECT_TRUE(Frontends::of(lookup(tables), {marked}).is_stale(flow(kVip, kVip)));
        EXPECT_TRUE(Frontends::of(lookup(tables), {proxy::by_mark(kMark + 1, Family::V4)}).empty());
    }
}

TEST_F(StaleTest, OfAChangeOnlyWhatItTouchedIsLookedAt) {
    const VirtualServerKey other{Protocol::Udp, at("10.96.0.11", 53), 0};
    tables_.virtual_servers[other].real_servers[kPodA] = 1;

    const Frontends changed = Frontends::of(lookup(tables_), {kServer});

    EXPECT_TRUE(changed.is_stale(flow(kVip, kPodB)));
    EXPECT_FALSE(changed.is_stale(flow(other.endpoint, kPodB)));
    EXPECT_TRUE(changed.has(Family::V4));
    EXPECT_FALSE(changed.has(Family::V6));
}

TEST_F(StaleTest, FlowsOfAServerThatIsGoneAreStale) {
    const KernelTables nothing;
    const Frontends changed = Frontends::of(lookup(nothing), {kServer});

    EXPECT_TRUE(changed.is_stale(flow(kVip, kPodA)));
}

}  // namespace
}  // namespace steelyard::conntrack
