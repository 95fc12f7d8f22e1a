#include "common/kube/client/credentials.hpp"

#include "common/testing/certificates.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace steelyard::kube {
namespace {

using namespace std::chrono_literals;

class CredentialsTest : public testing::Test {
protected:
    CredentialsTest() {
        std::string pattern = testing::TempDir() + "steelyard_credentials_XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        config_.tls = false;
        config_.token_file = file("token");
    }
    ~CredentialsTest() override { std::filesystem::remove_all(folder_); }

    [[nodiscard]] std::string file(const std::string& name) const { return folder_ + "/" + name; }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(file(name)) << text;
    }
    Credentials loaded() { return std::move(Credentials::load(config_, now_).value()); }
    void use_tls() {
        config_.tls = true;
        config_.certificate_authority.file = file("ca");
        config_.client_certificate.file = file("certificate");
        config_.client_key.file = file("key");
        write("ca", authority_.certificate);
        write_identity(fakes::issue(authority_, "DNS:client"));
    }
    void write_identity(const fakes::PemPair& identity) const {
        write("certificate", identity.certificate);
        write("key", identity.key);
    }

    std::string folder_;
    ClientConfig config_;
    fakes::PemPair authority_ = fakes::make_authority();
    Instant now_{1h};
};

TEST_F(CredentialsTest, ATokenFileIsReadAgainEachMinute) {
    write("token", "one\n");
    Credentials subject = loaded();
    EXPECT_EQ(subject.token(), "one");
    write("token", "two");
    subject.refresh(now_ + 59s);
    EXPECT_EQ(subject.token(), "one");
    subject.refresh(now_ + 60s);
    EXPECT_EQ(subject.token(), "two");
    write("token", "three");
    subject.refresh(now_ + 119s);
    EXPECT_EQ(subject.token(), "two");
}

TEST_F(CredentialsTest, AFileThatIsGoneOrEmptyLeavesTheLastToken) {
    write("token", "one");
    Credentials subject = loaded();
    std::filesystem::remove(file("token"));
    EXPECT_FALSE(subject.reread_token(now_));
    write("token", " \n");
    EXPECT_FALSE(subject.reread_token(now_));
    EXPECT_EQ(subject.token(), "one");
}

TEST_F(CredentialsTest, TheSameTokenIsNotWorthAnotherTry) {
    write("token", "one");
    Credentials subject = loaded();
    EXPECT_FALSE(subject.reread_token(now_));
    write("token", "two");
    EXPECT_TRUE(subject.reread_token(now_));
}

TEST_F(CredentialsTest, ANewAuthorityOrIdentityMakesANewContext) {
    write("token", "one");
    use_tls();
    Credentials subject = loaded();
    const auto first = subject.server().tls;
    EXPECT_FALSE(subject.refresh(now_ + 60s));
    EXPECT_EQ(subject.server().tls, first);

    write("ca", fakes::make_authority().certificate);
    EXPECT_FALSE(subject.refresh(now_ + 90s));
    EXPECT_TRUE(subject.reread(now_ + 90s));
    EXPECT_NE(subject.server().tls, first);

    write_identity(fakes::issue(authority_, "DNS:client"));
    EXPECT_TRUE(subject.refresh(now_ + 150s));
}

TEST_F(CredentialsTest, ACertificateWithoutItsKeyWaitsForIt) {
    write("token", "one");
    use_tls();
    Credentials subject = loaded();
    const auto first = subject.server().tls;
    const fakes::PemPair renewed = fakes::issue(authority_, "DNS:client");
    write("certificate", renewed.certificate);
    EXPECT_FALSE(subject.refresh(now_ + 60s));
    EXPECT_EQ(subject.server().tls, first);
    write("key", renewed.key);
    EXPECT_TRUE(subject.refresh(now_ + 120s));
}

}  // namespace
}  // namespace steelyard::kube
