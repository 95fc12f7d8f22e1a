#include "speaker/io/dataplane/mirror.hpp"

#include "speaker/io/dataplane/loop_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <set>

namespace steelyard::dataplane {
namespace {

using namespace std::chrono_literals;
using net::Family;
using net::IpAddress;
using net::Protocol;
using proxy::Op;
using proxy::VirtualServerKey;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// A kernel in memory that takes what a real one would, and refuses what it is told to.
class FakeKernel final : public KernelPort {
public:
    using Refuse = std::function<std::optional<Verdict>(const Op&)>;

    awaitable<Result<>> ensure() override { co_return Result<>(); }
    awaitable<Result<>> read(Observer& observer) override {
        ++readings;
        if (unreadable) {
            co_return make_error(Errc::Unavailable, "netlink: no answer");
        }
        for (const IpAddress& address : tables.addresses) {
            observer.address(address);
        }
        for (const IpAddress& address : tables.routes) {
            observer.route(address, std::nullopt);
        }
        for (const auto& [set, entries] : tables.sets) {
            for (const auto& [entry, mark] : entries) {
                observer.entry(set, entry, mark);
            }
        }
        for (const auto& [key, server] : tables.virtual_servers) {
            if (!excluded.contains(key.endpoint.address) || observer.owns(key)) {
                observer.virtual_server(key, server.scheduling, server.real_servers);
            }
        }
        co_return Result<>();
    }
    awaitable<Result<std::optional<proxy::VirtualServer>>> read_server(const VirtualServerKey& key
    ) override {
        ++single_readings;
        const auto found = tables.virtual_servers.find(key);
        co_return found == tables.virtual_servers.end() ? std::nullopt
                                                        : std::optional(found->second);
    }
    awaitable<Result<bool>> has(const VirtualServerKey& key) override {
        co_return tables.virtual_servers.contains(key);
    }
    awaitable<Outcome> execute(const std::vector<Op>& ops) override {
        Outcome outcome;
        outcome.sends = ops.empty() ? 0 : 1;
        for (std::size_t i = 0; i < ops.size(); ++i) {
            seen.push_back(ops[i]);
            auto verdict = refuse ? refuse(ops[i]) : std::nullopt;
            if (!verdict && !is_possible(ops[i])) {
                verdict = Verdict::Drifted;
            }
            if (!verdict) {
                proxy::apply(ops[i], tables);
                continue;
            }
            OpFailure failure;
            failure.op = i;
            failure.verdict = *verdict;
            failure.reason = "no: " + to_string(ops[i]);
            outcome.failures.push_back(std::move(failure));
        }
        co_return outcome;
    }
    awaitable<Result<std::size_t>> purge_flows(const conntrack::Frontends& frontends) override {
        EXPECT_FALSE(frontends.empty());
        ++purges;
        co_return std::size_t{3};
    }

    proxy::KernelTables tables;
    std::set<IpAddress> excluded;  // hidden, as exclude_cidrs are
    Refuse refuse;
    std::vector<Op> seen;
    unsigned readings = 0;
    unsigned single_readings = 0;
    unsigned purges = 0;
    bool unreadable = false;

private:
    bool is_possible(const Op& op) const {
        if (const auto* added = std::get_if<proxy::AddVirtualServer>(&op)) {
            return !tables.virtual_servers.contains(added->key);
        }
        if (const auto* added = std::get_if<proxy::AddRealServer>(&op)) {
            const auto found = tables.virtual_servers.find(added->key);
            return found != tables.virtual_servers.end() &&
                   !found->second.real_servers.contains(added->endpoint);
        }
        if (const auto* set = std::get_if<proxy::SetRealServer>(&op)) {
            const auto found = tables.virtual_servers.find(set->key);
            return found != tables.virtual_servers.end() &&
                   found->second.real_servers.contains(set->endpoint);
        }
        return true;
    }
};

VirtualServerKey server(std::uint32_t number, Protocol protocol = Protocol::Tcp) {
    return {protocol, {IpAddress::v4(0x0a600000U + number), 80}, 0};
}
net::Endpoint real(std::uint32_t number) {
    return {IpAddress::v4(0x0af40000U + number), 8080};
}

class MirrorTest : public LoopTest {
protected:
    // A Service at server(number) with an address and these endpoints.
    void plan(
        std::uint32_t number, std::vector<std::uint32_t> reals, Protocol protocol = Protocol::Tcp
    ) {
        auto tables = std::make_shared<proxy::ServiceTables>();
        proxy::VirtualServer planned;
        for (const std::uint32_t each : reals) {
            planned.real_servers[real(each)] = 1;
        }
        const VirtualServerKey key = server(number, protocol);
        tables->virtual_servers.insert_or_assign(key, proxy::VirtualServerRef(std::move(planned)));
        tables->addresses.insert(key.endpoint.address);
        proxy::Changes changes;
        changes.services[{"ns", std::to_string(number)}] = std::move(tables);
        mirror_.update(changes);
    }
    Report write() {
        Report report;
        const auto done = wait(mirror_.write(report));
        EXPECT_TRUE(done);
        return report;
    }
    void read() { EXPECT_TRUE(wait(mirror_.read())); }

    FakeKernel kernel_;
    Counters counters_;
    Mirror mirror_{kernel_, proxy::ProxyConfig(), counters_};
};

TEST_F(MirrorTest, OneRefusedObjectKeepsNoneOfTheOthersBack) {
    for (const std::uint32_t number : {1U, 2U, 3U}) {
        plan(number, {number});
    }
    kernel_.refuse = [](const Op& op) {
        const auto* added = std::get_if<proxy::AddVirtualServer>(&op);
        return added != nullptr && added->key == server(2) ? std::optional(Verdict::Refused)
                                                           : std::nullopt;
    };
    read();
    const Report report = write();

    EXPECT_THAT(kernel_.tables.virtual_servers, SizeIs(2));
    ASSERT_THAT(report.failures, SizeIs(1));
    EXPECT_EQ(report.failures[0].kind, "virtual_server");
    EXPECT_EQ(report.failures[0].object, "virtual server TCP 10.96.0.2:80");
    EXPECT_EQ(report.failures[0].reason, "no: add virtual server TCP 10.96.0.2:80");
    EXPECT_THAT(
        *report.servable, ElementsAre(IpAddress::v4(0x0a600001U), IpAddress::v4(0x0a600003U))
    );
    EXPECT_THAT(report.unservable, ElementsAre(IpAddress::v4(0x0a600002U)));
    EXPECT_EQ(kernel_.single_readings, 0U);  // its real server failed only because it is not there
}

TEST_F(MirrorTest, OnlyWhatWasRefusedIsTriedAgainAndItIsForgottenWhenItWorks) {
    plan(1, {1});
    plan(2, {2});
    kernel_.refuse = [](const Op& op) {
        const auto* added = std::get_if<proxy::AddRealServer>(&op);
        return added != nullptr && added->key == server(2) ? std::optional(Verdict::TryLater)
                                                           : std::nullopt;
    };
    read();
    EXPECT_THAT(write().failures, SizeIs(1));
    const auto due = mirror_.next_due();
    ASSERT_TRUE(due);

    kernel_.seen.clear();
    mirror_.prepare_due(*due - 1ms);
    EXPECT_THAT(write().failures, SizeIs(1));
    EXPECT_THAT(kernel_.seen, IsEmpty());  // not yet
    mirror_.prepare_due(*due);
    const Report again = write();
    EXPECT_THAT(kernel_.seen, ElementsAre(Op(proxy::AddRealServer{server(2), real(2), 1})));
    ASSERT_THAT(again.failures, SizeIs(1));
    EXPECT_EQ(again.failures[0].attempts, 2U);
    EXPECT_GT(*mirror_.next_due(), *due);

    kernel_.refuse = nullptr;
    mirror_.prepare_due(*mirror_.next_due());
    EXPECT_THAT(write().failures, IsEmpty());
    EXPECT_EQ(mirror_.next_due(), std::nullopt);
    EXPECT_EQ(kernel_.readings, 1U);
}

TEST_F(MirrorTest, AServerThatIsNotAsKnownIsReadAloneAndPutRight) {
    plan(1, {1});
    plan(2, {2});
    read();
    write();
    kernel_.tables.virtual_servers.erase(server(2));  // unseen

    plan(2, {2, 3});
    const Report report = write();

    EXPECT_THAT(report.failures, IsEmpty());
    EXPECT_THAT(kernel_.tables.virtual_servers[server(2)].real_servers, SizeIs(2));
    EXPECT_EQ(kernel_.single_readings, 1U);
    EXPECT_EQ(kernel_.readings, 1U);
    EXPECT_EQ(counters_.drifts, 1U);
}

TEST_F(MirrorTest, ALostAnswerMakesEverythingReadAgain) {
    plan(1, {1});
    read();
    bool lost = true;
    kernel_.refuse = [&](const Op&) {
        return std::exchange(lost, false) ? std::optional(Verdict::Unknown) : std::nullopt;
    };
    EXPECT_THAT(write().failures, IsEmpty());
    EXPECT_EQ(kernel_.readings, 2U);
    EXPECT_TRUE(mirror_.is_sure());
    EXPECT_THAT(kernel_.tables.virtual_servers, SizeIs(1));
}

TEST_F(MirrorTest, WhatIsWantedIsReadWhereverItIsAndWhatIsNotIsLeftAlone) {
    kernel_.excluded = {server(1).endpoint.address, server(9).endpoint.address};
    kernel_.tables.virtual_servers[server(9)];  // somebody else's
    plan(1, {1});
    read();
    write();
    read();
    EXPECT_EQ(write().ops, 0U);
    EXPECT_EQ(counters_.drifts, 0U);

    proxy::Changes gone;
    gone.services[{"ns", "1"}] = nullptr;
    mirror_.update(gone);
    read();
    write();
    ASSERT_THAT(kernel_.tables.virtual_servers, SizeIs(1));
    EXPECT_TRUE(kernel_.tables.virtual_servers.contains(server(9)));
}

TEST_F(MirrorTest, AnAddressStaysBoundUntilItsRouteIsThere) {
    plan(1, {1});
    plan(2, {2});
    read();
    write();
    ASSERT_THAT(kernel_.tables.addresses, SizeIs(2));

    proxy::ProxyConfig config;
    config.binding = proxy::Binding::Routes;
    Mirror next(kernel_, config, counters_);
    proxy::Changes changes;
    for (const std::uint32_t number : {1U, 2U}) {
        auto tables = std::make_shared<proxy::ServiceTables>();
        proxy::VirtualServer planned;
        planned.real_servers[real(number)] = 1;
        tables->virtual_servers.insert_or_assign(
            server(number), proxy::VirtualServerRef(std::move(planned))
        );
        tables->addresses.insert(server(number).endpoint.address);
        changes.services[{"ns", std::to_string(number)}] = std::move(tables);
    }
    next.update(changes);
    const IpAddress refused = server(1).endpoint.address;
    kernel_.refuse = [refused](const Op& op) {
        const auto* added = std::get_if<proxy::AddRoute>(&op);
        return added != nullptr && added->address == refused ? std::optional(Verdict::Refused)
                                                             : std::nullopt;
    };
    EXPECT_TRUE(wait(next.read()));
    Report report;
    EXPECT_TRUE(wait(next.write(report)));

    EXPECT_THAT(kernel_.tables.addresses, ElementsAre(refused));
    EXPECT_THAT(kernel_.tables.routes, ElementsAre(server(2).endpoint.address));
    EXPECT_THAT(report.failures, SizeIs(1));
    EXPECT_THAT(*report.servable, SizeIs(2));

    kernel_.refuse = nullptr;
    next.prepare_due(*next.next_due());
    EXPECT_TRUE(wait(next.write(report)));
    EXPECT_THAT(kernel_.tables.addresses, IsEmpty());
    EXPECT_THAT(kernel_.tables.routes, SizeIs(2));
}

TEST_F(MirrorTest, AKernelThatCannotBeReadLeavesTheMirrorUnsure) {
    plan(1, {1});
    kernel_.unreadable = true;
    EXPECT_FALSE(wait(mirror_.read()));
    EXPECT_FALSE(mirror_.is_sure());
    kernel_.unreadable = false;
    read();
    EXPECT_TRUE(mirror_.is_sure());
    write();
    EXPECT_THAT(kernel_.tables.virtual_servers, SizeIs(1));
}

TEST_F(MirrorTest, ARestartWritesNothing) {
    for (std::uint32_t number = 0; number < 50; ++number) {
        plan(number, {number, number + 1});
    }
    read();
    write();
    Mirror next(kernel_, proxy::ProxyConfig(), counters_);
    kernel_.seen.clear();
    proxy::Changes changes;
    for (std::uint32_t number = 0; number < 50; ++number) {
        auto tables = std::make_shared<proxy::ServiceTables>();
        proxy::VirtualServer planned;
        planned.real_servers[real(number)] = 1;
        planned.real_servers[real(number + 1)] = 1;
        tables->virtual_servers.insert_or_assign(
            server(number), proxy::VirtualServerRef(std::move(planned))
        );
        tables->addresses.insert(server(number).endpoint.address);
        changes.services[{"ns", std::to_string(number)}] = std::move(tables);
    }
    next.update(changes);
    EXPECT_TRUE(wait(next.read()));
    EXPECT_EQ(next.settled(), 50U * 4);
    Report report;
    EXPECT_TRUE(wait(next.write(report)));
    EXPECT_THAT(kernel_.seen, IsEmpty());
    EXPECT_EQ(report.ops, 0U);
    EXPECT_EQ(report.sends, 0U);
}

TEST_F(MirrorTest, ALookNoticesAFlushAtOnce) {
    EXPECT_TRUE(wait(mirror_.look()).value());  // nothing to miss
    plan(1, {1});
    plan(2, {2});
    read();
    write();
    EXPECT_TRUE(wait(mirror_.look()).value());
    kernel_.tables.virtual_servers.clear();
    EXPECT_FALSE(wait(mirror_.look()).value());

    read();
    write();
    EXPECT_THAT(kernel_.tables.virtual_servers, SizeIs(2));
    EXPECT_TRUE(wait(mirror_.look()).value());
}

TEST_F(MirrorTest, FlowsArePurgedWhenAUdpServerLosesARealServerOnly) {
    plan(1, {1, 2}, Protocol::Udp);
    plan(2, {1, 2});
    read();
    EXPECT_THAT(write().purges, SizeIs(1));  // those that began before there was a server
    plan(1, {1, 2, 3}, Protocol::Udp);
    plan(2, {1}, Protocol::Tcp);
    EXPECT_THAT(write().purges, IsEmpty());

    plan(1, {1}, Protocol::Udp);
    const Report report = write();
    ASSERT_THAT(report.purges, SizeIs(1));
    EXPECT_EQ(report.purges[0].family, Family::V4);
    EXPECT_EQ(report.purges[0].deleted, 3U);
    EXPECT_EQ(counters_.conntrack_deleted[0], 6U);
    EXPECT_EQ(kernel_.purges, 2U);
}

// The real servers behind a mark are no longer to be seen when its entry is gone.
TEST_F(MirrorTest, FlowsArePurgedWhenAUdpFrontendLosesItsMark) {
    proxy::SetEntry frontend;
    frontend.ip = server(1).endpoint.address;
    frontend.protocol = Protocol::Udp;
    frontend.port = 80;
    proxy::ServiceTables marked;
    marked.entries.insert_or_assign(
        proxy::SetElement{{proxy::SetName::InternalMark, Family::V4}, frontend}, 0x80000001U
    );
    const auto put = [&](proxy::ServiceTables tables) {
        proxy::Changes changes;
        changes.services[{"ns", "marked"}] =
            std::make_shared<const proxy::ServiceTables>(std::move(tables));
        mirror_.update(changes);
    };
    put(marked);
    read();
    write();
    put({});
    EXPECT_THAT(write().purges, SizeIs(1));
}

TEST_F(MirrorTest, WritesAreCountedByKind) {
    plan(1, {1, 2});
    read();
    const Report report = write();
    EXPECT_EQ(report.ops, 4U);
    EXPECT_EQ(counters_.virtual_server_writes, 1U);
    EXPECT_EQ(counters_.real_server_writes, 2U);
    EXPECT_EQ(counters_.address_writes, 1U);
    EXPECT_EQ(counters_.refusals, 0U);
}

}  // namespace
}  // namespace steelyard::dataplane
