#include "common/base/rng.hpp"
#include "speaker/proxy/diff/diff.hpp"
#include "speaker/proxy/planner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::proxy {
namespace {

using net::Endpoint;
using net::IpAddress;
using net::Protocol;
using namespace std::chrono_literals;
using testing::ElementsAre;

constexpr int kSeeds = 60;
const Instant kStart{1h};

IpAddress address(std::uint32_t base, std::uint64_t offset) {
    return IpAddress::v4(base + static_cast<std::uint32_t>(offset));
}

// A small random cluster that keeps changing.
class World {
public:
    explicit World(std::uint64_t seed) : rng_(seed) {
        input_.context.node_name = "n0";
        input_.context.node_addresses = {address(0xac100001, 0)};
        planner_ = std::make_unique<Planner>(input_.context);
    }

    void change() {
        const std::string name = "s" + std::to_string(rng_.below(6));
        switch (rng_.below(6)) {
            case 0:
                set_service(name, nullptr);
                break;
            case 1:
            case 2:
                set_service(name, random_service(name));
                break;
            case 3:
                input_.context.unreachable_nodes = {"n" + std::to_string(rng_.below(4))};
                planner_->set_context(input_.context);
                break;
            default:
                set_slice(name + "-" + std::to_string(rng_.below(2)), name);
                break;
        }
    }

    Tables full() const { return plan(input_); }
    std::shared_ptr<const Tables> incremental() { return planner_->tables(); }

private:
    void set_service(const std::string& name, ServiceRef service) {
        const kube::ObjectKey key{"ns", name};
        if (service) {
            input_.services[key] = service;
        } else {
            input_.services.erase(key);
        }
        planner_->set_service(key, std::move(service));
    }

    ServiceRef random_service(const std::string& name) {
        auto service = std::make_shared<kube::Service>();
        service->meta.key = {"ns", name};
        service->type = kube::ServiceType::LoadBalancer;
        service->cluster_ips = {address(0x0a600000, rng_.below(8))};  // may collide
        service->ingress = {{address(0xc0000200, rng_.below(4)), "", ""}};
        service->external_traffic_policy =
            rng_.below(2) == 0 ? kube::TrafficPolicy::Local : kube::TrafficPolicy::Cluster;
        kube::ServicePort port;
        port.protocol = rng_.below(3) == 0 ? Protocol::Udp : Protocol::Tcp;
        port.port = static_cast<std::uint16_t>(80 + rng_.below(3));
        port.node_port = static_cast<std::uint16_t>(30000 + rng_.below(3));
        service->ports = {port};
        if (rng_.below(3) == 0) {
            service->client_ip_affinity_seconds = 100;
        }
        return service;
    }

    void set_slice(const std::string& name, const std::string& owner) {
        const kube::ObjectKey key{"ns", name};
        std::shared_ptr<kube::EndpointSlice> slice;
        if (rng_.below(5) != 0) {
            slice = std::make_shared<kube::EndpointSlice>();
            slice->meta.key = key;
            slice->service = rng_.below(8) == 0 ? "s0" : owner;
            slice->ports = {{"", Protocol::Tcp, 8080}, {"", Protocol::Udp, 8080}};
            for (std::uint64_t count = rng_.below(4); count > 0; --count) {
                kube::SliceEndpoint endpoint;
                endpoint.address = address(0x0af40000, rng_.below(10));
                endpoint.node_name = "n" + std::to_string(rng_.below(4));
                endpoint.ready = rng_.below(4) != 0;
                endpoint.terminating = !endpoint.ready && rng_.below(2) == 0;
                slice->endpoints.push_back(endpoint);
            }
            input_.slices[key] = slice;
        } else {
            input_.slices.erase(key);
        }
        planner_->set_slice(key, std::move(slice));
    }

    Rng rng_;
    Input input_;
    std::unique_ptr<Planner> planner_;
};

bool has_open_server(const KernelTables& tables, const VirtualServerKey& key) {
    const auto found = tables.virtual_servers.find(key);
    return found != tables.virtual_servers.end() &&
           std::any_of(
               found->second.real_servers.begin(),
               found->second.real_servers.end(),
               [](const auto& real_server) { return real_server.second > 0; }
           );
}

// A virtual server that serves before and after a change serves at every step between.
void apply_checking_every_prefix(
    const std::vector<Op>& ops, const KernelTables& desired, KernelTables& kernel
) {
    std::vector<VirtualServerKey> serving;
    for (const auto& [key, server] : kernel.virtual_servers) {
        if (has_open_server(kernel, key) && has_open_server(desired, key)) {
            serving.push_back(key);
        }
    }
    for (const Op& op : ops) {
        if (const auto* added = std::get_if<AddAddress>(&op)) {
            const bool bound_after_server = std::any_of(
                kernel.virtual_servers.begin(),
                kernel.virtual_servers.end(),
                [&](const auto& vs) { return vs.first.endpoint.address == added->address; }
            );
            EXPECT_TRUE(bound_after_server) << to_string(op);
        }
        apply(op, kernel);
        for (const VirtualServerKey& key : serving) {
            ASSERT_TRUE(has_open_server(kernel, key)) << to_string(key) << " at " << to_string(op);
        }
    }
}

TEST(PlannerPropertyTest, IncrementalEqualsFullOnRandomHistories) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed);
        for (int step = 0; step < 40; ++step) {
            world.change();
            const Tables full = world.full();
            const auto incremental = world.incremental();
            ASSERT_EQ(full.services.size(), incremental->services.size());
            for (const auto& [key, tables] : full.services) {
                ASSERT_EQ(*tables, *incremental->services.at(key));
            }
        }
    }
}

TEST(DesiredPropertyTest, UpdatingEqualsMergingAfresh) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed);
        Desired desired;
        for (int step = 0; step < 40; ++step) {
            world.change();
            desired.update(world.incremental());

            Desired fresh;
            fresh.update(std::make_shared<const Tables>(world.full()));
            ASSERT_EQ(desired.tables(), fresh.tables());
        }
    }
}

TEST(DiffPropertyTest, ConvergesSafelyByTouchedKeysAndThenIsEmpty) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed);
        Desired desired;
        KernelTables kernel;
        Drains drains;
        Instant now = kStart;
        for (int step = 0; step < 40; ++step) {
            world.change();
            const Touched touched = desired.update(world.incremental());
            const auto ops = diff(desired.tables(), kernel, drains, now, touched);
            apply_checking_every_prefix(ops, desired.tables(), kernel);
            for (const Op& op : ops) {
                drains.on_applied(op, now, 30s);
            }
            ASSERT_TRUE(diff(desired.tables(), kernel, drains, now).empty());
            now += 1s;
        }

        now += 1min;
        for (const Op& op : diff(desired.tables(), kernel, drains, now, drains.due(now))) {
            apply(op, kernel);
            drains.on_applied(op, now, 30s);
        }
        EXPECT_EQ(kernel, desired.tables());
        EXPECT_EQ(drains.next_deadline(), std::nullopt);
    }
}

class DrainTest : public testing::Test {
protected:
    static constexpr Protocol kTcp = Protocol::Tcp;
    static VirtualServerKey server(Protocol protocol) {
        return {protocol, {address(0xc0000201, 0), 80}};
    }
    static Endpoint real(std::uint64_t number) { return {address(0x0af40001, number), 8080}; }
    static KernelTables tables(Protocol protocol, RealServers real_servers) {
        KernelTables made;
        made.virtual_servers[server(protocol)].real_servers = std::move(real_servers);
        return made;
    }
    Drains drains_;
};

TEST_F(DrainTest, ATcpServerLeavesAfterItsReplacementCameAndItsGraceWent) {
    const KernelTables desired = tables(kTcp, {{real(2), 1}});
    KernelTables kernel = tables(kTcp, {{real(1), 1}});

    const auto ops = diff(desired, kernel, drains_, kStart);
    ASSERT_THAT(
        ops,
        ElementsAre(
            Op(AddRealServer{server(kTcp), real(2), 1}), Op(SetRealServer{server(kTcp), real(1), 0})
        )
    );
    for (const Op& op : ops) {
        apply(op, kernel);
        drains_.on_applied(op, kStart, 30s);
    }

    EXPECT_EQ(drains_.next_deadline(), kStart + 30s);
    EXPECT_TRUE(diff(desired, kernel, drains_, kStart + 29s).empty());
    EXPECT_THAT(
        diff(desired, kernel, drains_, kStart + 30s),
        ElementsAre(Op(RemoveRealServer{server(kTcp), real(1)}))
    );
}

TEST_F(DrainTest, AUdpServerLeavesAtOnce) {
    EXPECT_THAT(
        diff(tables(Protocol::Udp, {}), tables(Protocol::Udp, {{real(1), 1}}), drains_, kStart),
        ElementsAre(Op(RemoveRealServer{server(Protocol::Udp), real(1)}))
    );
}

TEST_F(DrainTest, AServerThatComesBackWhileDrainingIsRevived) {
    const Op drained = SetRealServer{server(kTcp), real(1), 0};
    drains_.on_applied(drained, kStart, 30s);

    const auto ops =
        diff(tables(kTcp, {{real(1), 1}}), tables(kTcp, {{real(1), 0}}), drains_, kStart + 31s);

    ASSERT_THAT(ops, ElementsAre(Op(SetRealServer{server(kTcp), real(1), 1})));
    drains_.on_applied(ops.front(), kStart + 31s, 30s);
    EXPECT_EQ(drains_.next_deadline(), std::nullopt);
}

TEST_F(DrainTest, AfterARestartWhatIsFoundDrainingGetsItsGrace) {
    const KernelTables desired = tables(kTcp, {{real(2), 1}});
    const KernelTables kernel = tables(kTcp, {{real(1), 0}, {real(2), 1}});

    drains_.adopt(desired, kernel, kStart, 30s);

    EXPECT_TRUE(diff(desired, kernel, drains_, kStart).empty());
    EXPECT_EQ(drains_.next_deadline(), kStart + 30s);
    drains_.adopt(desired, desired, kStart, 30s);  // somebody removed it for us
    EXPECT_EQ(drains_.next_deadline(), std::nullopt);
}

TEST_F(DrainTest, AServerThatSomebodyElsePutBackToWorkDoesNotDrainAnyMore) {
    drains_.on_applied(SetRealServer{server(kTcp), real(1), 0}, kStart, 30s);
    const KernelTables kernel = tables(kTcp, {{real(1), 1}});

    drains_.adopt(kernel, kernel, kStart, 30s);

    // A deadline that no operation ends would come due for ever.
    EXPECT_EQ(drains_.next_deadline(), std::nullopt);
}

TEST(OpTest, PrintsOneReadableLine) {
    const VirtualServerKey key{Protocol::Tcp, {address(0xc0000201, 0), 80}};
    EXPECT_EQ(
        to_string(Op(AddRealServer{key, {address(0x0af40001, 0), 8080}, 1})),
        "add real server TCP 192.0.2.1:80 -> 10.244.0.1:8080 weight 1"
    );
    SetEntry hairpin;
    hairpin.ip = address(0x0af40001, 0);
    hairpin.port = 80;
    hairpin.second_ip = hairpin.ip;
    EXPECT_EQ(
        to_string(Op(AddSetEntry{{SetName::LoopBack, net::Family::V4}, hairpin})),
        "add KUBE-LOOP-BACK 10.244.0.1,TCP:80,10.244.0.1"
    );
}

}  // namespace
}  // namespace steelyard::proxy
