#include "speaker/proxy/planner.hpp"

#include "common/base/rng.hpp"
#include "speaker/proxy/plan_test_support.hpp"

namespace steelyard::proxy {
namespace {

using net::IpAddress;
using net::Protocol;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

constexpr int kSeeds = 60;
constexpr int kSteps = 80;

IpAddress address(std::uint32_t base, std::uint64_t offset) {
    return IpAddress::v4(base + static_cast<std::uint32_t>(offset));
}

// A small random cluster that keeps changing.
class World {
public:
    explicit World(std::uint64_t seed) : rng_(seed), planner_(first_context()) {
        input_.context = first_context();
    }

    void change() {
        const std::string name = "s" + std::to_string(rng_.below(6));
        switch (rng_.below(8)) {
            case 0:
                set_service(name, nullptr);
                break;
            case 1:
            case 2:
                set_service(name, random_service(name));
                break;
            case 3:
                input_.context.unreachable_nodes = {"n" + std::to_string(rng_.below(4))};
                planner_.set_context(input_.context);
                break;
            case 4:
                change_context();
                break;
            default:
                set_slice(name + "-" + std::to_string(rng_.below(2)), name);
                break;
        }
    }

    Tables full() const { return plan(input_); }
    Planner& planner() { return planner_; }

private:
    static Context first_context() {
        Context context;
        context.node_name = "n0";
        context.node_addresses = {address(0xac100001, 0)};
        return context;
    }

    void change_context() {
        Context& context = input_.context;
        context.zone = one_of({"", "z0", "z1"});
        context.service_cidrs.clear();
        if (rng_.below(2) == 0) {
            context.service_cidrs = {cidr("10.96.0.0/16")};
        }
        context.config.mode = rng_.below(4) == 0 ? Mode::LoadBalancer : Mode::Full;
        context.node_ips = {{net::Family::V4, address(0xac100001, rng_.below(2))}};
        planner_.set_context(context);
    }

    std::string one_of(std::initializer_list<const char*> words) {
        return *(words.begin() + rng_.below(words.size()));
    }

    void set_service(const std::string& name, ServiceRef service) {
        const kube::ObjectKey key{"ns", name};
        if (service) {
            input_.services[key] = service;
        } else {
            input_.services.erase(key);
        }
        planner_.set_service(key, std::move(service));
    }

    ServiceRef random_service(const std::string& name) {
        auto service = std::make_shared<kube::Service>();
        service->meta.key = {"ns", name};
        service->type = kube::ServiceType::LoadBalancer;
        service->cluster_ips = {address(0x0a600000, rng_.below(8))};  // may collide
        service->ingress = {{address(0xc0000200, rng_.below(4)), "", ""}};
        service->external_traffic_policy = rng_.below(2) == 0 ? kLocal : kCluster;
        service->internal_traffic_policy = rng_.below(4) == 0 ? kLocal : kCluster;
        kube::ServicePort port;
        port.protocol = rng_.below(3) == 0 ? Protocol::Udp : Protocol::Tcp;
        port.port = static_cast<std::uint16_t>(80 + rng_.below(3));
        port.node_port = static_cast<std::uint16_t>(rng_.below(2) == 0 ? 0 : 30000);
        service->ports = {port};
        if (rng_.below(3) == 0) {
            service->client_ip_affinity_seconds = 100;
        }
        if (rng_.below(4) == 0) {
            service->meta.annotations["steelyard.io/ipvs-weights"] = one_of({"node/n1=3", "x"});
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
            slice->headless = rng_.below(10) == 0;
            slice->ports = {{"", Protocol::Tcp, 80}, {"", Protocol::Udp, 8080}};
            for (std::uint64_t count = rng_.below(4); count > 0; --count) {
                slice->endpoints.push_back(random_endpoint());
            }
            input_.slices[key] = slice;
        } else {
            input_.slices.erase(key);
        }
        planner_.set_slice(key, std::move(slice));
    }

    kube::SliceEndpoint random_endpoint() {
        kube::SliceEndpoint endpoint;
        endpoint.address = address(0x0af40000, rng_.below(10));
        endpoint.node_name = "n" + std::to_string(rng_.below(4));
        endpoint.ready = rng_.below(4) != 0;
        endpoint.terminating = !endpoint.ready && rng_.below(2) == 0;
        kube::EndpointDetails::Fields details;
        if (rng_.below(2) == 0) {
            details.for_zones = {one_of({"z0", "z1"})};
        }
        endpoint.details = kube::EndpointDetails(details);
        return endpoint;
    }

    Rng rng_;
    Input input_;
    Planner planner_;
};

void expect_equal(const Tables& incremental, const Tables& full) {
    EXPECT_EQ(incremental.sources, full.sources);
    ASSERT_EQ(incremental.services.size(), full.services.size());
    for (const auto& [key, tables] : full.services) {
        ASSERT_TRUE(incremental.services.contains(key)) << to_string(key);
        ASSERT_EQ(*incremental.services.at(key), *tables) << to_string(key);
    }
}

// What the changes come to, `together` at a time, is what plan() makes of the whole.
void expect_incremental_equals_full(int together) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed);
        Tables built;
        for (int step = 0; step < kSteps; ++step) {
            world.change();
            if (step % together != 0) {
                continue;
            }
            Changes changes = world.planner().take_changes();
            built.sources = changes.sources;
            for (auto& [key, tables] : changes.services) {
                if (tables) {
                    built.services[key] = std::move(tables);
                } else {
                    built.services.erase(key);
                }
            }
            const Tables full = world.full();
            expect_equal(built, full);
            EXPECT_EQ(
                world.planner().proxied(),
                full.services.size() - full.services.count(kube::ObjectKey())
            );
            ASSERT_FALSE(testing::Test::HasFailure()) << "step " << step;
        }
    }
}

TEST(PlannerPropertyTest, ChangesOneAfterTheOtherComeToTheWhole) {
    expect_incremental_equals_full(1);
}

TEST(PlannerPropertyTest, SeveralChangesAtOnceComeToTheWhole) {
    expect_incremental_equals_full(3);
}

class PlannerTest : public PlanTest {
protected:
    static constexpr int kServices = 200;

    // Service s<i> with one endpoint on node n<i % 10>.
    void fill(Planner& planner) {
        for (int i = 0; i < kServices; ++i) {
            auto service = std::make_shared<kube::Service>(service_);
            service->meta.key.name = "s" + std::to_string(i);
            service->cluster_ips = {address(0x0a600000, static_cast<std::uint64_t>(i))};
            service->ingress.clear();
            planner.set_service(service->meta.key, service);
            auto slice = std::make_shared<kube::EndpointSlice>(slice_);
            slice->meta.key.name = service->meta.key.name + "-x";
            slice->service = service->meta.key.name;
            slice->endpoints = {
                endpoint("10.244.0.1", "n" + std::to_string(i % 10)), endpoint("10.244.0.2", "m")};
            planner.set_slice(slice->meta.key, slice);
        }
    }
};

TEST_F(PlannerTest, ANodeThatDiesReplansTheServicesWithEndpointsThereOnly) {
    Planner planner(context_);
    fill(planner);
    EXPECT_THAT(planner.take_changes().services, SizeIs(kServices));
    const std::size_t before = planner.planned();

    context_.unreachable_nodes = {"n3"};
    planner.set_context(context_);
    EXPECT_THAT(planner.take_changes().services, SizeIs(kServices / 10));
    EXPECT_EQ(planner.planned() - before, std::size_t{kServices / 10});

    context_.unreachable_nodes = {"n3", "n4"};
    planner.set_context(context_);
    EXPECT_THAT(planner.take_changes().services, SizeIs(kServices / 10));
    EXPECT_EQ(planner.planned() - before, std::size_t{2 * kServices / 10});

    context_.unreachable_nodes = {"n4", "nobody"};  // one is back, one has no endpoints
    planner.set_context(context_);
    EXPECT_THAT(planner.take_changes().services, SizeIs(kServices / 10));
    EXPECT_EQ(planner.planned() - before, std::size_t{3 * kServices / 10});
}

TEST_F(PlannerTest, OneSliceReplansOneService) {
    Planner planner(context_);
    fill(planner);
    static_cast<void>(planner.take_changes());
    const std::size_t before = planner.planned();

    auto slice = std::make_shared<kube::EndpointSlice>(slice_);
    slice->meta.key.name = "s7-x";
    slice->service = "s7";
    planner.set_slice(slice->meta.key, slice);
    EXPECT_THAT(
        planner.take_changes().services,
        ElementsAre(Pair(kube::ObjectKey{"default", "s7"}, testing::NotNull()))
    );
    EXPECT_EQ(planner.planned() - before, 1U);
    EXPECT_THAT(planner.take_changes().services, IsEmpty());
}

TEST_F(PlannerTest, WhatComesOutTheSameIsNoChange) {
    Planner planner(context_);
    fill(planner);
    static_cast<void>(planner.take_changes());

    auto slice = std::make_shared<kube::EndpointSlice>(slice_);
    slice->meta.key.name = "s7-x";
    slice->service = "s7";
    slice->meta.resource_version = "8";
    slice->endpoints = {endpoint("10.244.0.1", "n7"), endpoint("10.244.0.2", "m")};
    planner.set_slice(slice->meta.key, slice);
    EXPECT_THAT(planner.take_changes().services, IsEmpty());
}

TEST_F(PlannerTest, AServiceThatGoesIsAChangeToNothing) {
    Planner planner(context_);
    planner.set_service(service_.meta.key, std::make_shared<const kube::Service>(service_));
    static_cast<void>(planner.take_changes());
    planner.set_service(service_.meta.key, nullptr);
    EXPECT_THAT(
        planner.take_changes().services, ElementsAre(Pair(service_.meta.key, testing::IsNull()))
    );
    planner.set_service({"default", "never"}, nullptr);
    EXPECT_THAT(planner.take_changes().services, IsEmpty());
}

TEST_F(PlannerTest, RangesOfClusterIpsBelongToNoService) {
    context_.service_cidrs = {cidr("10.96.0.0/16"), cidr("fd00:96::/112"), cidr("0.0.0.0/0")};
    Planner planner(context_);
    const Changes changes = planner.take_changes();
    ASSERT_THAT(changes.services, SizeIs(1));
    const ServiceTables& tables = *changes.services.at(kube::ObjectKey());
    EXPECT_THAT(
        members(tables, SetName::ServiceCidr), ElementsAre("10.96.0.0/16", "fd00:96::/112")
    );
    EXPECT_THAT(planner.take_changes().services, IsEmpty());

    context_.service_cidrs.clear();
    planner.set_context(context_);
    EXPECT_THAT(
        planner.take_changes().services, ElementsAre(Pair(kube::ObjectKey(), testing::IsNull()))
    );
}

}  // namespace
}  // namespace steelyard::proxy
