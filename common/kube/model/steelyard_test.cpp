#include "common/kube/model/encode.hpp"
#include "common/kube/model/resource.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace steelyard::kube {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

nlohmann::json json(const char* text) {
    return nlohmann::json::parse(text);
}

const char* const kPolicy = R"({"apiVersion":"steelyard.io/v1alpha1","kind":"AllocationPolicy",
    "metadata":{"name":"p","namespace":"m"},
    "spec":{"ipAddressPools":["a"],"ipAddressPoolSelectors":[{"matchLabels":{"tier":"gold"}}],
    "exclude":["192.0.2.1"],"quotas":[{"namespaces":["web"],"namespaceSelectors":[
    {"matchExpressions":[{"key":"team","operator":"NotIn","values":["x"]},
    {"key":"old","operator":"DoesNotExist"}]}],"addresses":5}],"keepAfterDelete":"10m"}})";

TEST(AllocationPolicyTest, EveryFieldIsReadAndWritten) {
    const auto decoded = decode_allocation_policy(json(kPolicy));
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    EXPECT_THAT(decoded->ip_address_pools, ElementsAre("a"));
    EXPECT_THAT(decoded->ip_address_pool_selectors, SizeIs(1));
    EXPECT_THAT(decoded->exclude, ElementsAre("192.0.2.1"));
    ASSERT_THAT(decoded->quotas, SizeIs(1));
    EXPECT_THAT(decoded->quotas[0].namespaces, ElementsAre("web"));
    EXPECT_THAT(decoded->quotas[0].namespace_selectors, SizeIs(1));
    EXPECT_EQ(decoded->quotas[0].addresses, 5);
    EXPECT_EQ(decoded->keep_after_delete, "10m");
    EXPECT_EQ(encode_object(*decoded), json(kPolicy));
}

TEST(AllocationPolicyTest, AQuotaWithoutANumberIsNotNoneAtAll) {
    const auto decoded = decode_allocation_policy(
        json(R"({"metadata":{"name":"p"},"spec":{"quotas":[{"namespaces":["a"]}]}})")
    );
    ASSERT_FALSE(decoded);
    EXPECT_THAT(decoded.error().context, HasSubstr("spec.quotas[0].addresses is missing"));
}

TEST(AddressReservationTest, ObjectAndStatusTogetherReadBackTheSame) {
    AddressReservation reservation;
    reservation.meta.key = {"m", "shop.web"};
    reservation.meta.labels.emplace(kManagedByLabel, kManagedByController);
    reservation.service_namespace = "shop";
    reservation.service_name = "web";
    reservation.addresses = {"192.0.2.1", "2001:db8::1"};
    reservation.keep_for = "10m";
    reservation.pool = "a";
    reservation.released_at = WallTime(seconds(1'000'000));
    reservation.expires_at = WallTime(seconds(1'000'600));
    reservation.in_use = true;
    nlohmann::json object = encode_object(reservation);
    EXPECT_FALSE(object.contains("status"));
    object.merge_patch(status_patch(reservation));
    const auto decoded = decode_address_reservation(object);
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    EXPECT_EQ(*decoded, reservation);
}

TEST(AddressReservationTest, AStatusPatchNeedsTheVersionItWasMadeFromAndClearsWhatIsGone) {
    AddressReservation reservation;
    reservation.meta.resource_version = "7";
    EXPECT_EQ(
        status_patch(reservation),
        json(R"({"metadata":{"resourceVersion":"7"},"status":{"pool":null,"inUse":false,
            "releasedAt":null,"expiresAt":null}})")
    );
}

ConfigurationState invalid_state() {
    ConfigurationState state;
    state.meta.key = {"m", "speaker-n"};
    state.meta.labels = {{"metallb.io/component-type", "speaker"}, {"metallb.io/node-name", "n"}};
    state.owner = PodOwner{"speaker-x", "u"};
    state.result = "Invalid";
    state.error_summary = "a\nb";
    state.conditions = {
        {"configReconcilerValid",
         false,
         "ConfigurationError",
         "a\nb",
         0,
         WallTime(seconds(1'000'000))}};
    return state;
}

TEST(ConfigurationStateTest, ReadsBackAsItWasWritten) {
    const nlohmann::json object = encode_object(invalid_state());
    EXPECT_EQ(object["apiVersion"], "metallb.io/v1beta1");
    EXPECT_FALSE(object.contains("spec"));
    EXPECT_FALSE(object["metadata"].contains("resourceVersion"));  // server-side apply
    const auto decoded = decode_configuration_state(object);
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    EXPECT_EQ(*decoded, invalid_state());
}

TEST(ConfigurationStateTest, ConditionsAreAListEvenWhenThereIsNone) {
    EXPECT_EQ(encode_object(ConfigurationState{})["status"]["conditions"], nlohmann::json::array());
}

TEST(ConfigurationStateTest, ConditionsWeCannotReadAreErrorsOfOneLine) {
    const auto decoded = decode_configuration_state(
        json(R"({"metadata":{"name":"c"},"status":{"conditions":[{"type":7}]}})")
    );
    ASSERT_FALSE(decoded);
    EXPECT_THAT(decoded.error().context, HasSubstr("status.conditions[0].type: 7 is not a string"));
}

}  // namespace
}  // namespace steelyard::kube
