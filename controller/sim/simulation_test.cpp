#include "controller/sim/simulation.hpp"

#include "controller/sim/check.hpp"

#include <gmock/gmock.h>

namespace steelyard::controller_sim {
namespace {

using nlohmann::json;
using testing::IsEmpty;

class SimulationTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(SimulationTest, TwoLeadersNeverShowOneAddressTwice) {
    SimulationOptions options;
    options.seed = GetParam();

    const SimulationReport report = Simulation(options).run();

    EXPECT_THAT(report.wrong, IsEmpty()) << "seed " << options.seed;
    EXPECT_GT(report.writes, 100U);
}

TEST_P(SimulationTest, NeitherDoesOneThatCrashesNorThree) {
    SimulationOptions options;
    options.seed = GetParam();
    for (const std::size_t replicas : {1U, 3U}) {
        options.replicas = replicas;

        const SimulationReport report = Simulation(options).run();

        EXPECT_THAT(report.wrong, IsEmpty()) << "seed " << options.seed;
    }
}

TEST_P(SimulationTest, OneLeaderKeepsToTheQuotas) {
    SimulationOptions options;
    options.seed = GetParam();
    options.replicas = 1;
    options.orderly = true;

    const SimulationReport report = Simulation(options).run();

    EXPECT_THAT(report.wrong, IsEmpty()) << "seed " << options.seed;
}

INSTANTIATE_TEST_SUITE_P(Seeds, SimulationTest, testing::Range<std::uint64_t>(1, 11));

TEST(SimulationReplayTest, OneSeedGivesOneRun) {
    SimulationOptions options;
    options.seed = 42;

    const SimulationReport first = Simulation(options).run();
    const SimulationReport second = Simulation(options).run();

    EXPECT_EQ(first.steps, second.steps);
    EXPECT_EQ(first.writes, second.writes);
    EXPECT_EQ(first.rests, second.rests);
}

// Two controllers at rest, one pool of four addresses.
class TwoLeadersTest : public testing::Test {
protected:
    TwoLeadersTest() {
        config::Objects objects;
        kube::IpAddressPool pool;
        pool.meta.key = {"metallb-system", "a"};
        pool.addresses = {"10.0.0.1-10.0.0.4"};
        objects.pools.push_back(pool);
        simulation.cluster().set_config(config::parse(objects).config);
        EXPECT_TRUE(simulation.rest());
    }
    void create(const std::string& name, int age) {
        json object = json::object();
        object["spec"]["type"] = "LoadBalancer";
        object["spec"]["clusterIPs"] = {"10.96.0.1"};
        object["spec"]["ports"] = {{{"port", 80}}};
        simulation.cluster().create({"n0", name}, object, WallTime{} + std::chrono::seconds(age));
    }
    void show(const std::string& name, const std::string& address) {
        json merge = json::object();
        merge["status"]["loadBalancer"]["ingress"] = {{{"ip", address}}};
        simulation.cluster().edit({"n0", name}, merge);
    }
    [[nodiscard]] std::string address_of(const std::string& name) {
        const auto& ingress = simulation.cluster().find({"n0", name})->decoded->ingress;
        return ingress.empty() ? "" : to_string(*ingress.front().ip);
    }
    Simulation simulation{SimulationOptions{}};
};

TEST_F(TwoLeadersTest, OfTwoThatShowOneAddressTheOlderKeepsIt) {
    create("younger", 2);
    ASSERT_TRUE(simulation.rest());
    ASSERT_EQ(address_of("younger"), "10.0.0.1");
    create("older", 1);

    show("older", "10.0.0.1");

    ASSERT_TRUE(simulation.rest());
    EXPECT_EQ(address_of("older"), "10.0.0.1");
    EXPECT_EQ(address_of("younger"), "10.0.0.2");
}

TEST_F(TwoLeadersTest, YoungerOneThatShowsATakenAddressGetsAnother) {
    create("older", 1);
    ASSERT_TRUE(simulation.rest());
    create("younger", 2);

    show("younger", "10.0.0.1");

    ASSERT_TRUE(simulation.rest());
    EXPECT_EQ(address_of("older"), "10.0.0.1");
    EXPECT_EQ(address_of("younger"), "10.0.0.2");
}

TEST_F(TwoLeadersTest, AddressThatAnotherLeaderGaveIsKept) {
    create("web", 1);
    ASSERT_TRUE(simulation.rest());

    show("web", "10.0.0.3");

    ASSERT_TRUE(simulation.rest());
    EXPECT_EQ(address_of("web"), "10.0.0.3");
}

TEST_F(TwoLeadersTest, LostStatusIsWrittenAgain) {
    create("web", 1);
    ASSERT_TRUE(simulation.rest());
    show("web", "10.0.0.3");
    ASSERT_TRUE(simulation.rest());

    simulation.cluster().edit({"n0", "web"}, json::parse(R"({"status":null})"));

    ASSERT_TRUE(simulation.rest());
    EXPECT_EQ(address_of("web"), "10.0.0.3");
}

}  // namespace
}  // namespace steelyard::controller_sim
