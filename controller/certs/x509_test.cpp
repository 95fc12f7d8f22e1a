#include "controller/certs/x509.hpp"

#include <gtest/gtest.h>

#include <string>

namespace steelyard::certs {
namespace {

using std::chrono::hours;

const WallTime kNow = std::chrono::system_clock::from_time_t(1800000000);
const Validity kDay{kNow, kNow + hours(24)};
const std::string kName = "hook.ns.svc";

class X509Test : public testing::Test {
protected:
    KeyPair authority_ = make_authority({kNow, kNow + hours(1000)}).value();
    KeyPair leaf_ = issue(authority_, {kName, "hook.ns"}, kDay).value();

    Result<> verify_now(const std::string& name = kName) {
        return verify(leaf_.certificate, authority_.certificate, name, kNow);
    }
};

TEST_F(X509Test, ACertificateVerifiesUnderItsAuthorityForEachOfItsNames) {
    EXPECT_TRUE(verify_now());
    EXPECT_TRUE(verify_now("hook.ns"));
    EXPECT_TRUE(check_key(leaf_));
    EXPECT_TRUE(check_key(authority_));
}

TEST_F(X509Test, AnotherNameIsRefused) {
    EXPECT_FALSE(verify_now("other.ns.svc"));
}

TEST_F(X509Test, AnotherAuthorityIsRefused) {
    authority_ = make_authority(kDay).value();

    EXPECT_FALSE(verify_now());
}

TEST_F(X509Test, ItIsValidOnlyInItsTime) {
    const auto at = [&](WallTime time) {
        return verify(leaf_.certificate, authority_.certificate, kName, time).has_value();
    };

    EXPECT_FALSE(at(kNow - hours(1)));
    EXPECT_TRUE(at(kNow + hours(23)));
    EXPECT_FALSE(at(kNow + hours(25)));
    EXPECT_TRUE(validity_of(leaf_.certificate).value() == kDay);
}

TEST_F(X509Test, ItDoesNotOutliveItsAuthority) {
    const KeyPair leaf = issue(authority_, {kName}, {kNow - hours(9), kNow + hours(9999)}).value();

    EXPECT_TRUE(
        validity_of(leaf.certificate).value() == validity_of(authority_.certificate).value()
    );
}

TEST_F(X509Test, AnyOfSeveralTrustedAuthoritiesWillDo) {
    const KeyPair other = make_authority(kDay).value();
    const std::string both = other.certificate + authority_.certificate;

    EXPECT_TRUE(verify(leaf_.certificate, both, kName, kNow));
    EXPECT_EQ(split(both)->size(), 2U);
}

TEST_F(X509Test, AKeyOfAnotherCertificateIsFound) {
    EXPECT_FALSE(check_key({leaf_.certificate, authority_.key}));
}

TEST_F(X509Test, KeysAreNewEachTime) {
    EXPECT_NE(issue(authority_, {kName}, kDay)->key, leaf_.key);
}

TEST_F(X509Test, NonsenseIsRefusedInALine) {
    for (const std::string text : {"", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n"}) {
        EXPECT_FALSE(validity_of(text)) << text;
        EXPECT_FALSE(check_key({text, leaf_.key})) << text;
        EXPECT_FALSE(check_key({leaf_.certificate, text})) << text;
        EXPECT_FALSE(verify(text, authority_.certificate, kName, kNow)) << text;
        EXPECT_FALSE(verify(leaf_.certificate, text, kName, kNow)) << text;
        EXPECT_FALSE(issue({text, text}, {kName}, kDay)) << text;
        EXPECT_TRUE(split(text)->empty()) << text;
    }
}

}  // namespace
}  // namespace steelyard::certs
