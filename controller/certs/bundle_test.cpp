#include "controller/certs/bundle.hpp"

#include "controller/certs/rsa_secret_test_support.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace steelyard::certs {
namespace {

using std::chrono::hours;
using Days = std::chrono::duration<std::int64_t, std::ratio<86400>>;

const WallTime kNow = std::chrono::system_clock::from_time_t(1800000000);
const std::vector<std::string> kNames = service_names("hook", "ns");
const std::string kName = "hook.ns.svc";
const Policy kPolicy;

Bundle fresh(WallTime now = kNow) {
    return make_bundle(kNames, kPolicy, now).value();
}

Bundle after(Step step, Bundle bundle, WallTime now = kNow) {
    return take(step, std::move(bundle), kNames, kPolicy, now).value();
}

Step step_at(const Bundle& bundle, WallTime now, std::optional<WallTime> published = kNow) {
    return next_step(bundle, kPolicy, published, now)->step;
}

TEST(BundleTest, TheNamesAreThoseOfTheService) {
    EXPECT_EQ(
        kNames, (std::vector<std::string>{"hook.ns.svc", "hook.ns.svc.cluster.local", "hook.ns"})
    );
}

TEST(BundleTest, SurvivesTheSecret) {
    Bundle bundle = after(Step::Switch, after(Step::NewNext, fresh()));
    bundle = after(Step::NewNext, std::move(bundle));

    EXPECT_TRUE(from_secret(to_secret(bundle), kName, kNow).value() == bundle);
}

TEST(BundleTest, ASecretOfMetalLbIsAdoptedAsItIs) {
    const SecretData secret = rsa_secret();

    const auto bundle = from_secret(secret, "metallb-webhook-service.metallb-system.svc", kNow);

    ASSERT_TRUE(bundle) << to_string(bundle.error());
    EXPECT_EQ(bundle->authority.certificate, secret.at("ca.crt"));
    EXPECT_EQ(step_at(*bundle, kNow), Step::Keep);
    EXPECT_TRUE(take(Step::NewLeaf, *bundle, kNames, kPolicy, kNow));
}

TEST(BundleTest, AFreshBundleIsKeptUntilTwoThirdsOfTheCertificate) {
    const Bundle bundle = fresh();

    EXPECT_EQ(step_at(bundle, kNow), Step::Keep);
    EXPECT_EQ(step_at(bundle, kNow + Days(59)), Step::Keep);
    EXPECT_EQ(step_at(bundle, kNow + Days(60)), Step::NewLeaf);
    EXPECT_EQ(next_step(bundle, kPolicy, kNow, kNow)->look_again, kNow + Days(60));
}

TEST(BundleTest, ARenewedCertificateIsOfTheSameAuthority) {
    const Bundle before = fresh();

    const Bundle bundle = after(Step::NewLeaf, before, kNow + Days(60));

    EXPECT_EQ(bundle.authority, before.authority);
    EXPECT_NE(bundle.leaf, before.leaf);
    EXPECT_TRUE(from_secret(to_secret(bundle), kName, kNow + Days(100)));
    EXPECT_EQ(trusted(bundle), trusted(before));
}

TEST(BundleTest, TheNextAuthorityComesAtTwoThirdsOfTheFirst) {
    const WallTime late = kNow + Days(3650) * 2 / 3 + Days(1);

    const Bundle bundle = after(Step::NewLeaf, fresh(), late);

    EXPECT_EQ(step_at(bundle, late), Step::NewNext);
}

TEST(BundleTest, TheNextAuthoritySignsOnlyWhenEveryoneHasTrustedItForAWhile) {
    const Bundle bundle = after(Step::NewNext, fresh());

    EXPECT_EQ(step_at(bundle, kNow + hours(9), std::nullopt), Step::Keep);
    EXPECT_EQ(step_at(bundle, kNow + kPolicy.settle / 2), Step::Keep);
    EXPECT_EQ(step_at(bundle, kNow + kPolicy.settle), Step::Switch);
}

TEST(BundleTest, BothAuthoritiesAreTrustedBeforeAndAfterTheSwitch) {
    const Bundle before = after(Step::NewNext, fresh());
    const Bundle now = after(Step::Switch, before);

    for (const Bundle& bundle : {before, now}) {
        EXPECT_TRUE(verify(before.leaf.certificate, trusted(bundle), kName, kNow));
        EXPECT_TRUE(verify(now.leaf.certificate, trusted(bundle), kName, kNow));
    }
}

TEST(BundleTest, AFormerAuthorityIsForgottenWithItsLastCertificate) {
    const Bundle bundle = after(Step::Switch, after(Step::NewNext, fresh()), kNow + Days(40));

    EXPECT_EQ(step_at(bundle, kNow + Days(89)), Step::Keep);
    EXPECT_EQ(step_at(bundle, kNow + Days(90)), Step::Forget);
    const Bundle left = after(Step::Forget, bundle);
    EXPECT_EQ(trusted(left), left.authority.certificate);
}

TEST(BundleTest, ACertificateThatCannotGainIsNotRenewedForEver) {
    Policy policy;
    policy.authority = hours(24 * 30);  // less than a certificate
    const Bundle bundle = make_bundle(kNames, policy, kNow).value();

    EXPECT_EQ(next_step(bundle, policy, std::nullopt, kNow + Days(29))->step, Step::NewNext);
    const Bundle more = take(Step::NewNext, bundle, kNames, policy, kNow + Days(29)).value();
    EXPECT_EQ(next_step(more, policy, std::nullopt, kNow + Days(29))->step, Step::Keep);
}

struct Spoilt {
    const char* name;
    std::function<void(SecretData&)> spoil;
    const char* says;
};
class SpoiltSecretTest : public testing::TestWithParam<Spoilt> {};

TEST_P(SpoiltSecretTest, IsRefusedWithItsReason) {
    SecretData secret = to_secret(fresh());
    GetParam().spoil(secret);

    const auto bundle = from_secret(secret, kName, kNow + Days(1));

    ASSERT_FALSE(bundle);
    EXPECT_NE(bundle.error().context.find(GetParam().says), std::string::npos)
        << bundle.error().context;
    EXPECT_EQ(bundle.error().context.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    All,
    SpoiltSecretTest,
    testing::Values(
        Spoilt{"Empty", [](SecretData& s) { s.clear(); }, "ca.crt: no certificate in PEM"},
        Spoilt{"NoAuthorityKey", [](SecretData& s) { s.erase("ca.key"); }, "no private key"},
        Spoilt{"NoLeaf", [](SecretData& s) { s.erase("tls.crt"); }, "tls.crt and tls.key"},
        Spoilt{
            "KeyOfAnother",
            [](SecretData& s) { s["tls.key"] = s["ca.key"]; },
            "the key is not that of the certificate"},
        Spoilt{
            "OfAnotherAuthority",
            [](SecretData& s) {
                const SecretData other = to_secret(fresh());
                s["ca.crt"] = other.at("ca.crt");
                s["ca.key"] = other.at("ca.key");
            },
            "clients of hook.ns.svc refuse it"},
        Spoilt{
            "OfAnotherService",
            [](SecretData& s) {
                s = to_secret(make_bundle(service_names("x", "y"), kPolicy, kNow).value());
            },
            "clients of hook.ns.svc refuse it"},
        Spoilt{
            "Expired",
            [](SecretData& s) { s = to_secret(fresh(kNow - Days(91))); },
            "certificate has expired"},
        Spoilt{
            "ExpiredAuthority",
            [](SecretData& s) { s = to_secret(fresh(kNow - Days(3651))); },
            "the authority has run out"}
    ),
    [](const auto& parameter) { return std::string(parameter.param.name); }
);

TEST(BundleTest, ABrokenNextAuthorityIsLeftOut) {
    SecretData secret = to_secret(after(Step::NewNext, fresh()));
    secret["next-ca.key"] = "nonsense";

    const auto bundle = from_secret(secret, kName, kNow);

    ASSERT_TRUE(bundle);
    EXPECT_FALSE(bundle->next);
}

}  // namespace
}  // namespace steelyard::certs
