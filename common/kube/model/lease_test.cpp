#include "common/kube/model/lease.hpp"

#include <gtest/gtest.h>

namespace steelyard::kube {
namespace {

using nlohmann::json;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr WallTime kNoon = WallTime(seconds(1'767'355'200));  // 2026-01-02T12:00:00Z

// As client-go 0.35 writes it, with what the server adds.
const char* const kHeld = R"({
    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
    "metadata": {"name": "steelyard-controller", "namespace": "metallb-system",
                 "uid": "u", "resourceVersion": "41"},
    "spec": {"holderIdentity": "pod-a_3f", "leaseDurationSeconds": 15, "leaseTransitions": 2,
             "acquireTime": "2026-01-02T12:00:00.000000Z",
             "renewTime": "2026-01-02T12:00:01.000250Z"}})";

Lease held() {
    Lease lease;
    lease.meta.key = {"metallb-system", "steelyard-controller"};
    lease.meta.uid = "u";
    lease.meta.resource_version = "41";
    lease.holder = "pod-a_3f";
    lease.duration = seconds(15);
    lease.transitions = 2;
    lease.acquire = kNoon;
    lease.renew = kNoon + seconds(1) + microseconds(250);
    return lease;
}

TEST(LeaseTest, DecodesWhatClientGoWrites) {
    const auto lease = decode_lease(json::parse(kHeld));

    ASSERT_TRUE(lease.has_value());
    EXPECT_EQ(*lease, held());
}

TEST(LeaseTest, ObjectForCreationIsWhatClientGoWrites) {
    json expected = json::parse(kHeld);
    expected["metadata"].erase("uid");
    expected["metadata"].erase("resourceVersion");

    EXPECT_EQ(encode_object(held()), expected);
}

TEST(LeaseTest, PatchCarriesTheWholeRecordAndTheVersionItWasReadAt) {
    json expected;
    expected["metadata"]["resourceVersion"] = "41";
    expected["spec"] = json::parse(kHeld)["spec"];

    EXPECT_EQ(lease_patch(held()), expected);
}

TEST(LeaseTest, ReleasedOneKeepsAnEmptyHolder) {
    Lease lease = held();
    lease.holder = "";
    lease.duration = seconds(1);

    const json spec = lease_patch(lease)["spec"];

    EXPECT_EQ(spec["holderIdentity"], "");
    EXPECT_EQ(spec["leaseDurationSeconds"], 1);
}

TEST(LeaseTest, TimesNobodySetAreCleared) {
    Lease lease = held();
    lease.acquire.reset();

    EXPECT_TRUE(lease_patch(lease)["spec"]["acquireTime"].is_null());
}

TEST(LeaseTest, MadeByHandWithoutSpecReadsAsNeverHeld) {
    const auto lease = decode_lease(json::parse(R"({"metadata":{"name":"x","namespace":"n"}})"));

    ASSERT_TRUE(lease.has_value());
    EXPECT_EQ(lease->holder, "");
    EXPECT_EQ(lease->duration, seconds(0));
    EXPECT_FALSE(lease->renew.has_value());
}

TEST(LeaseTest, WrongShapeIsOneLine) {
    const auto lease = decode_lease(json::parse(
        R"({"metadata":{"name":"x","namespace":"n"},"spec":{"leaseDurationSeconds":"15"}})"
    ));

    ASSERT_FALSE(lease.has_value());
    EXPECT_NE(lease.error().context.find("spec.leaseDurationSeconds"), std::string::npos);
}

}  // namespace
}  // namespace steelyard::kube
