#include "speaker/proxy/diff/ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::proxy {
namespace {

using net::Endpoint;
using net::Family;
using net::IpAddress;
using net::Protocol;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

const Instant kStart{1h};

IpAddress ip(std::string_view text) {
    return IpAddress::parse(text).value();
}
Endpoint real(unsigned number) {
    return {IpAddress::v4(0x0af40000U + number), 8080};
}
VirtualServerKey server(Protocol protocol, std::string_view address = "192.0.2.1") {
    return {protocol, {ip(address), 80}, 0};
}

class LedgerTest : public testing::Test {
protected:
    // One Service with one virtual server.
    void plan(
        const VirtualServerKey& key,
        RealServers real_servers,
        std::optional<std::chrono::seconds> grace = std::nullopt
    ) {
        auto tables = std::make_shared<ServiceTables>();
        VirtualServer planned;
        planned.real_servers = std::move(real_servers);
        planned.drain_grace = grace;
        tables->virtual_servers.insert_or_assign(key, VirtualServerRef(std::move(planned)));
        put("web", std::move(tables));
    }
    void put(const std::string& name, std::shared_ptr<const ServiceTables> tables) {
        Changes changes;
        changes.services[{"ns", name}] = std::move(tables);
        changes.sources = sources_;
        ledger_.update(changes);
    }
    std::vector<Op> write(Instant now = kStart) {
        ledger_.end_drains(now);
        auto ops = ledger_.diff(now);
        ledger_.acknowledge(ops, {}, now);
        return ops;
    }
    static ProxyConfig with(Binding binding) {
        ProxyConfig config;
        config.binding = binding;
        return config;
    }
    static std::shared_ptr<ServiceTables> bound(const std::vector<IpAddress>& addresses) {
        auto tables = std::make_shared<ServiceTables>();
        for (const IpAddress& address : addresses) {
            tables->addresses.insert(address);
        }
        return tables;
    }

    std::map<Family, IpAddress> sources_;
    Ledger ledger_{ProxyConfig()};
    const VirtualServerKey tcp_ = server(Protocol::Tcp);
    const VirtualServerKey udp_ = server(Protocol::Udp);
};

TEST_F(LedgerTest, ATcpServerLeavesAfterItsReplacementCameAndItsGraceWent) {
    plan(tcp_, {{real(1), 1}});
    write();
    plan(tcp_, {{real(2), 1}});

    EXPECT_THAT(
        write(),
        ElementsAre(Op(AddRealServer{tcp_, real(2), 1}), Op(SetRealServer{tcp_, real(1), 0}))
    );
    EXPECT_EQ(ledger_.next_drain(), kStart + 30s);
    EXPECT_THAT(write(kStart + 29s), IsEmpty());
    EXPECT_THAT(write(kStart + 30s), ElementsAre(Op(RemoveRealServer{tcp_, real(1)})));
    EXPECT_EQ(ledger_.next_drain(), std::nullopt);
}

TEST_F(LedgerTest, AServicesOwnGraceCounts) {
    plan(tcp_, {{real(1), 1}, {real(2), 1}}, 300s);
    write();
    plan(tcp_, {{real(2), 1}}, 300s);
    write();
    EXPECT_EQ(ledger_.next_drain(), kStart + 300s);
}

TEST_F(LedgerTest, NoGraceMeansRemovedAtOnce) {
    plan(tcp_, {{real(1), 1}, {real(2), 1}}, 0s);
    write();
    plan(tcp_, {{real(2), 1}}, 0s);
    EXPECT_THAT(write(), ElementsAre(Op(RemoveRealServer{tcp_, real(1)})));
}

TEST_F(LedgerTest, AUdpServerLeavesAtOnce) {
    plan(udp_, {{real(1), 1}, {real(2), 1}});
    write();
    plan(udp_, {{real(2), 1}});
    EXPECT_THAT(write(), ElementsAre(Op(RemoveRealServer{udp_, real(1)})));
}

TEST_F(LedgerTest, ATerminatingServerDrainsAsLongAsItIsListedAndThenGoes) {
    plan(tcp_, {{real(1), 1}, {real(2), 1}});
    write();
    plan(tcp_, {{real(1), 0}, {real(2), 1}});
    EXPECT_THAT(write(), ElementsAre(Op(SetRealServer{tcp_, real(1), 0})));
    EXPECT_EQ(ledger_.next_drain(), std::nullopt);

    plan(tcp_, {{real(2), 1}});  // its pod is gone
    EXPECT_THAT(write(kStart + 1s), ElementsAre(Op(RemoveRealServer{tcp_, real(1)})));
}

TEST_F(LedgerTest, ATerminatingServerTheKernelDoesNotHaveIsNotAdded) {
    plan(tcp_, {{real(1), 0}, {real(2), 1}});
    EXPECT_THAT(
        write(), ElementsAre(Op(AddVirtualServer{tcp_, {}}), Op(AddRealServer{tcp_, real(2), 1}))
    );
    EXPECT_THAT(write(), IsEmpty());
    plan(tcp_, {{real(2), 1}});
    EXPECT_THAT(write(), IsEmpty());
}

TEST_F(LedgerTest, AServerThatComesBackWhileDrainingIsRevived) {
    plan(tcp_, {{real(1), 1}});
    write();
    plan(tcp_, {});
    write();
    ASSERT_EQ(ledger_.next_drain(), kStart + 30s);
    plan(tcp_, {{real(1), 1}});

    EXPECT_THAT(write(kStart + 31s), ElementsAre(Op(SetRealServer{tcp_, real(1), 1})));
    EXPECT_EQ(ledger_.next_drain(), std::nullopt);
}

TEST_F(LedgerTest, WhatARestartFindsDrainingGetsItsGrace) {
    plan(tcp_, {{real(2), 1}});
    ledger_.begin_reading();
    ledger_.see_server(tcp_, {}, {{real(1), 0}, {real(2), 1}});
    ledger_.end_reading();

    EXPECT_THAT(write(), IsEmpty());
    EXPECT_EQ(ledger_.next_drain(), kStart + 30s);
    ledger_.see_server_alone(tcp_, nullptr);  // somebody removed it for us
    EXPECT_EQ(ledger_.next_drain(), std::nullopt);
}

TEST_F(LedgerTest, ARealServerThatForwardsOtherwiseIsPutRightInPlace) {
    auto tables = bound({});
    VirtualServer planned;
    planned.real_servers = {{real(1), 5}, {real(2), 0}};
    tables->virtual_servers.insert_or_assign(tcp_, VirtualServerRef(planned));
    put("web", tables);
    ledger_.begin_reading();
    ledger_.see_server(
        tcp_,
        {},
        {{real(1), kForwardsOtherwise},
         {real(2), kForwardsOtherwise},
         {real(3), kForwardsOtherwise}}
    );
    ledger_.end_reading();
    EXPECT_THAT(*ledger_.servable(), IsEmpty());

    EXPECT_THAT(
        write(),
        ElementsAre(
            Op(SetRealServer{tcp_, real(1), 5}),
            Op(SetRealServer{tcp_, real(2), 0}),
            Op(SetRealServer{tcp_, real(3), 0})
        )
    );
    EXPECT_THAT(*ledger_.servable(), ElementsAre(tcp_.endpoint.address));
    EXPECT_THAT(write(), IsEmpty());
    EXPECT_EQ(ledger_.next_drain(), kStart + 30s);
}

TEST_F(LedgerTest, OfTwoServicesWithOneServerTheFirstByNameHasIt) {
    const auto tables = [&](unsigned number) {
        auto made = std::make_shared<ServiceTables>();
        VirtualServer planned;
        planned.real_servers[real(number)] = 1;
        made->virtual_servers.insert_or_assign(tcp_, VirtualServerRef(std::move(planned)));
        return made;
    };
    put("b", tables(2));
    write();
    put("a", tables(1));
    EXPECT_TRUE(ledger_.wanted().virtual_servers[tcp_].real_servers.contains(real(1)));
    put("b", tables(3));
    EXPECT_TRUE(ledger_.wanted().virtual_servers[tcp_].real_servers.contains(real(1)));
    put("a", nullptr);
    EXPECT_TRUE(ledger_.wanted().virtual_servers[tcp_].real_servers.contains(real(3)));
    put("b", nullptr);
    EXPECT_THAT(ledger_.wanted().virtual_servers, IsEmpty());
}

TEST_F(LedgerTest, AMarkThatChangesIsReplacedInPlaceOnceItsServerIsThere) {
    const SetElement frontend{
        {SetName::AffinityMark, Family::V4}, {ip("192.0.2.1"), Protocol::Tcp, 80, {}, 0}};
    const auto tables = [&](std::uint32_t mark) {
        auto made = std::make_shared<ServiceTables>();
        made->virtual_servers.insert_or_assign(
            by_mark(mark, Family::V4), VirtualServerRef(VirtualServer())
        );
        made->entries[frontend] = mark;
        return made;
    };
    put("web", tables(0x80000001U));
    write();
    put("web", tables(0x80000002U));

    EXPECT_THAT(
        write(),
        ElementsAre(
            Op(AddVirtualServer{by_mark(0x80000002U, Family::V4), {}}),
            Op(AddSetEntry{frontend.set, frontend.entry, 0x80000002U}),
            Op(RemoveVirtualServer{by_mark(0x80000001U, Family::V4)})
        )
    );
}

TEST_F(LedgerTest, AddressesBeyondANumberBecomeRoutesAndStayWhatTheyAre) {
    sources_ = {{Family::V4, ip("172.16.0.1")}};
    std::vector<IpAddress> many;
    for (std::uint32_t i = 0; i < kMostAddresses + 2; ++i) {
        many.push_back(IpAddress::v4(0x0a600000U + i));
    }
    put("many", bound(many));
    const auto ops = write();
    ASSERT_EQ(ops.size(), many.size());
    EXPECT_EQ(ops[kMostAddresses - 1], Op(AddAddress{many[kMostAddresses - 1]}));
    EXPECT_EQ(ops[kMostAddresses], Op(AddRoute{many[kMostAddresses], ip("172.16.0.1")}));

    many.erase(many.begin());
    put("many", bound(many));
    EXPECT_THAT(write(), ElementsAre(Op(RemoveAddress{IpAddress::v4(0x0a600000U)})));
}

TEST_F(LedgerTest, ARouteComesBeforeTheAddressItReplacesGoes) {
    put("web", bound({ip("10.96.0.1")}));
    ledger_.begin_reading();
    ledger_.see_address(ip("10.96.0.1"));
    ledger_.end_reading();
    EXPECT_THAT(write(), IsEmpty());

    ledger_ = Ledger(with(Binding::Routes));
    put("web", bound({ip("10.96.0.1")}));
    ledger_.begin_reading();
    ledger_.see_address(ip("10.96.0.1"));
    ledger_.end_reading();
    EXPECT_THAT(write(), ElementsAre(Op(AddRoute{ip("10.96.0.1"), std::nullopt})));
    EXPECT_TRUE(ledger_.has_suspects());
    EXPECT_THAT(write(), ElementsAre(Op(RemoveAddress{ip("10.96.0.1")})));
    EXPECT_FALSE(ledger_.has_suspects());
}

TEST_F(LedgerTest, AnAddressStaysWhileWhatIsToReplaceItIsRefused) {
    struct Case {
        Binding binding;
        bool as_address = false;
        Op replacement;
        Op removal;
    };
    const IpAddress address = ip("10.96.0.1");
    const std::vector<Case> cases = {
        {Binding::Routes, true, AddRoute{address, std::nullopt}, RemoveAddress{address}},
        {Binding::Addresses, false, AddAddress{address}, RemoveRoute{address}},
    };
    for (const auto& [binding, as_address, replacement, removal] : cases) {
        SCOPED_TRACE(to_string(replacement));
        ledger_ = Ledger(with(binding));
        put("web", bound({address}));
        ledger_.begin_reading();
        if (as_address) {
            ledger_.see_address(address);
        } else {
            ledger_.see_route(address, std::nullopt);
        }
        ledger_.end_reading();

        const auto ops = ledger_.diff(kStart);
        EXPECT_THAT(ops, ElementsAre(replacement));
        ledger_.acknowledge(ops, {0}, kStart);
        EXPECT_THAT(write(), IsEmpty());

        ledger_.suspect(address);
        EXPECT_THAT(write(), ElementsAre(replacement));
        EXPECT_THAT(write(), ElementsAre(removal));
        EXPECT_THAT(write(), IsEmpty());
    }
}

TEST_F(LedgerTest, ARouteWithAnotherSourceIsWrittenAgain) {
    ledger_ = Ledger(with(Binding::Routes));
    ledger_.begin_reading();  // before anything is known
    ledger_.see_route(ip("10.96.0.1"), ip("172.16.0.1"));
    ledger_.end_reading();
    sources_ = {{Family::V4, ip("172.16.0.1")}};
    put("web", bound({ip("10.96.0.1")}));
    EXPECT_THAT(write(), IsEmpty());

    sources_ = {{Family::V4, ip("172.16.0.2")}};
    put("other", bound({}));
    EXPECT_THAT(write(), ElementsAre(Op(AddRoute{ip("10.96.0.1"), ip("172.16.0.2")})));
}

TEST_F(LedgerTest, ServableIsWhatIsBoundAndHasSomewhereToSendTraffic) {
    auto tables = bound({ip("192.0.2.1")});
    VirtualServer planned;
    planned.real_servers[real(1)] = 1;
    tables->virtual_servers.insert_or_assign(tcp_, VirtualServerRef(planned));
    put("web", tables);
    EXPECT_THAT(ledger_.unservable(), ElementsAre(ip("192.0.2.1")));
    const auto ops = ledger_.diff(kStart);
    ASSERT_EQ(ops.size(), 3U);
    ledger_.acknowledge(ops, {2}, kStart);  // all but the address
    EXPECT_THAT(*ledger_.servable(), IsEmpty());
    EXPECT_THAT(ledger_.unservable(), ElementsAre(ip("192.0.2.1")));

    ledger_.suspect(ip("192.0.2.1"));
    write();
    const auto servable = ledger_.servable();
    EXPECT_THAT(*servable, ElementsAre(ip("192.0.2.1")));
    EXPECT_THAT(ledger_.unservable(), IsEmpty());

    auto wider = std::make_shared<ServiceTables>(*tables);
    planned.real_servers[real(2)] = 1;
    wider->virtual_servers.insert_or_assign(tcp_, VirtualServerRef(planned));
    put("web", wider);
    write();
    EXPECT_EQ(ledger_.servable(), servable);  // the very same
}

TEST_F(LedgerTest, AServerIsOursFromBeingWantedUntilItIsGone) {
    EXPECT_FALSE(ledger_.owns(tcp_));
    plan(tcp_, {{real(1), 1}});
    EXPECT_TRUE(ledger_.owns(tcp_));
    write();
    put("web", nullptr);
    EXPECT_TRUE(ledger_.owns(tcp_));
    write();
    EXPECT_FALSE(ledger_.owns(tcp_));
}

TEST_F(LedgerTest, KnownServersAreNamedInACircle) {
    EXPECT_EQ(ledger_.known_after({}), std::nullopt);
    for (const std::string_view address : {"192.0.2.1", "192.0.2.2"}) {
        auto tables = std::make_shared<ServiceTables>();
        tables->virtual_servers.insert_or_assign(
            server(Protocol::Tcp, address), VirtualServerRef(VirtualServer())
        );
        put(std::string(address), tables);
    }
    EXPECT_EQ(ledger_.known_after({}), std::nullopt);  // none is there yet
    write();
    EXPECT_EQ(ledger_.known_after({}), server(Protocol::Tcp, "192.0.2.1"));
    EXPECT_EQ(
        ledger_.known_after(server(Protocol::Tcp, "192.0.2.1")), server(Protocol::Tcp, "192.0.2.2")
    );
    EXPECT_EQ(
        ledger_.known_after(server(Protocol::Tcp, "192.0.2.2")), server(Protocol::Tcp, "192.0.2.1")
    );
}

TEST_F(LedgerTest, TellsWhatTheKernelHasAndNotWhatIsWanted) {
    const SetElement frontend{
        {SetName::InternalMark, Family::V6}, {ip("2001:db8::1"), Protocol::Udp, 80, {}, 0}};
    auto tables = std::make_shared<ServiceTables>();
    VirtualServer planned;
    planned.real_servers[real(1)] = 1;
    tables->virtual_servers.insert_or_assign(udp_, VirtualServerRef(planned));
    tables->entries[frontend] = 0x80000001U;
    put("web", tables);
    std::vector<std::pair<SetElement, std::uint32_t>> marked;
    const auto note = [&](const SetElement& element, std::uint32_t mark) {
        marked.emplace_back(element, mark);
    };
    EXPECT_EQ(ledger_.found_real_servers(udp_), nullptr);
    ledger_.for_marked(note);
    EXPECT_THAT(marked, IsEmpty());

    write();
    ASSERT_NE(ledger_.found_real_servers(udp_), nullptr);
    EXPECT_EQ(*ledger_.found_real_servers(udp_), planned.real_servers);
    ledger_.for_marked(note);
    EXPECT_THAT(marked, ElementsAre(std::pair(frontend, 0x80000001U)));
}

// What one change costs, counted in records looked at, whatever else there is.
TEST(LedgerCostTest, OneEndpointCostsTheSameAmongFewServicesAsAmongMany) {
    std::vector<std::size_t> costs;
    for (const std::uint32_t services : {10U, 5000U}) {
        Ledger ledger{ProxyConfig()};
        const auto tables = [](std::uint32_t number, unsigned endpoints) {
            auto made = std::make_shared<ServiceTables>();
            const IpAddress address = IpAddress::v4(0x0a600000U + number);
            VirtualServer planned;
            for (unsigned i = 0; i < endpoints; ++i) {
                planned.real_servers[real(number * 10 + i)] = 1;
            }
            made->virtual_servers.insert_or_assign(
                VirtualServerKey{Protocol::Tcp, {address, 80}, 0},
                VirtualServerRef(std::move(planned))
            );
            made->addresses.insert(address);
            made->entries[{{SetName::ClusterIp, Family::V4}, {address, Protocol::Tcp, 80, {}, 0}}] =
                0;
            return made;
        };
        Changes all;
        for (std::uint32_t number = 0; number < services; ++number) {
            all.services[{"ns", "s" + std::to_string(number)}] = tables(number, 5);
        }
        ledger.update(all);
        ledger.acknowledge(ledger.diff(kStart), {}, kStart);
        const auto servable = ledger.servable();

        const std::size_t before = ledger.visits();
        Changes one;
        one.services[{"ns", "s7"}] = tables(7, 6);
        ledger.update(one);
        const auto ops = ledger.diff(kStart);
        ledger.acknowledge(ops, {}, kStart);
        EXPECT_EQ(ops.size(), 1U);
        EXPECT_EQ(ledger.servable(), servable);
        costs.push_back(ledger.visits() - before);
    }
    EXPECT_EQ(costs[0], costs[1]);
    EXPECT_EQ(costs[1], 1U);
}

TEST(OpTest, PrintsOneReadableLine) {
    const VirtualServerKey key = server(Protocol::Tcp);
    EXPECT_EQ(
        to_string(Op(AddRealServer{key, {ip("10.244.0.1"), 8080}, 1})),
        "add real server TCP 192.0.2.1:80 -> 10.244.0.1:8080 weight 1"
    );
    const SetEntry hairpin{ip("10.244.0.1"), Protocol::Tcp, 80, ip("10.244.0.1"), 0};
    EXPECT_EQ(
        to_string(Op(AddSetEntry{{SetName::LoopBack, Family::V4}, hairpin})),
        "add KUBE-LOOP-BACK 10.244.0.1,TCP:80,10.244.0.1"
    );
    EXPECT_EQ(
        to_string(Op(AddSetEntry{
            {SetName::AffinityMark, Family::V4},
            {ip("192.0.2.1"), Protocol::Udp, 53, {}, 0},
            0x8000001aU})),
        "add KUBE-AFFINITY-MARK 192.0.2.1,UDP:53 mark 0x8000001a"
    );
    EXPECT_EQ(
        to_string(Op(AddSetEntry{
            {SetName::ServiceCidr, Family::V4}, {ip("10.96.0.0"), Protocol::Tcp, 0, {}, 12}})),
        "add KUBE-SERVICE-CIDR 10.96.0.0/12"
    );
    EXPECT_EQ(to_string(object_of(Op(AddRoute{ip("10.96.0.1"), {}}))), "address 10.96.0.1");
}

}  // namespace
}  // namespace steelyard::proxy
