#include "controller/plan/planner_test_support.hpp"

#include <gmock/gmock.h>

// Who waits because its namespace holds all that a policy grants.
namespace steelyard::controller_plan {
namespace {

using test::Cluster;
using test::pool;
using test::service;
using testing::IsEmpty;

class QuotaTest : public testing::Test {
protected:
    QuotaTest() { cluster.set_pools({pool("x", {"10.0.0.0/30"})}); }
    Cluster cluster;
};

TEST_F(QuotaTest, WakesTheWaiterOfItsNamespace) {
    config::AllocationPolicy fair;
    fair.name = "fair";
    fair.pools = {"x"};
    fair.quotas.emplace_back().addresses = 1;
    cluster.set_policies({fair});
    for (int i = 1; i <= 3; ++i) {
        cluster.put(service("s" + std::to_string(i), i));
    }
    cluster.run();
    EXPECT_EQ(cluster.reason_of("s2"), "QuotaExceeded");

    cluster.remove("s1");
    cluster.run();

    EXPECT_EQ(cluster.address_of("s2"), "10.0.0.0");
    EXPECT_EQ(cluster.reason_of("s3"), "QuotaExceeded");
    cluster.restart();
    EXPECT_THAT(cluster.run(), IsEmpty());
}

TEST_F(QuotaTest, OneWithRoomButNoAddressLeavesNobodyWaitingForTheQuota) {
    config::AllocationPolicy fair;
    fair.name = "fair";
    fair.pools = {"x"};
    fair.quotas.emplace_back().addresses = 2;
    fair.quotas.back().namespaces = {"default"};
    cluster.set_policies({fair});
    const auto elsewhere = [](const std::string& name, int age) {
        kube::Service made = service(name, age);
        made.meta.key.ns = "other";
        return made;
    };
    cluster.put(service("s1", 1));
    cluster.put(service("s2", 2));
    cluster.put(elsewhere("o1", 3));
    cluster.put(elsewhere("o2", 4));
    cluster.put(elsewhere("o3", 5));  // waits for an address
    cluster.put(service("s3", 6));    // these two for the quota
    cluster.put(service("s4", 7));
    cluster.run();
    EXPECT_EQ(cluster.reason_of("s4"), "QuotaExceeded");

    cluster.remove("s1");
    cluster.run();
    EXPECT_EQ(cluster.reason_of("s3"), "PoolExhausted");
    EXPECT_EQ(cluster.reason_of("s4"), "PoolExhausted");
    cluster.remove("s3");
    cluster.objects.erase({"other", "o1"});
    cluster.planner->on_service_deleted({"other", "o1"});
    cluster.run();

    EXPECT_EQ(cluster.address_of("s4"), "10.0.0.2");
}

}  // namespace
}  // namespace steelyard::controller_plan
