#include "common/http/client/client.hpp"
#include "common/http/server/server.hpp"
#include "common/testing/certificates.hpp"
#include "common/testing/loop.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::http_client {
namespace {

using testing::HasSubstr;

class TlsTest : public testing::Test {
protected:
    void serve(const fakes::PemPair& identity) {
        http_server::ServerConfig config;
        config.tls.emplace();
        config.tls->certificate_chain = identity.certificate;
        config.tls->private_key = identity.key;
        auto server = http_server::Server::listen(
            loop_.executor(),
            config,
            [](http_server::Request request) -> awaitable<http_server::Response> {
                co_return http_server::text_response(200, "hello " + request.path);
            }
        );
        ASSERT_TRUE(server) << to_string(server.error());
        server_ = std::move(*server);
        loop_.spawn("server", server_->run());
    }

    // The body of one GET, or what went wrong.
    std::string fetch(const TlsOptions& options, const std::string& tls_name = "") {
        auto context = make_tls_context(options);
        if (!context) {
            return to_string(context.error());
        }
        Server where;
        where.host = "127.0.0.1";
        where.port = server_->port();
        where.tls = *context;
        where.tls_name = tls_name;
        Client client(where, Limits{});
        std::string outcome;
        const auto test = [&]() -> awaitable<void> {
            Request request;
            request.target = "/x";
            auto answer = co_await client.send(std::move(request));
            outcome = answer ? answer->body : to_string(answer.error());
        };
        loop_.run(test());
        return outcome;
    }

    static TlsOptions trusting(const fakes::PemPair& authority) {
        TlsOptions options;
        options.ca = authority.certificate;
        return options;
    }

    fakes::Loop loop_;
    std::unique_ptr<http_server::Server> server_;
    fakes::PemPair authority_ = fakes::make_authority();
};

TEST_F(TlsTest, AnAddressIsCheckedAgainstTheCertificatesAddresses) {
    serve(fakes::issue(authority_, "IP:127.0.0.1"));
    EXPECT_EQ(fetch(trusting(authority_)), "hello /x");
}

TEST_F(TlsTest, ACertificateForAnotherAddressIsRefused) {
    serve(fakes::issue(authority_, "IP:192.0.2.1"));
    EXPECT_THAT(fetch(trusting(authority_)), HasSubstr("IP address mismatch"));
}

TEST_F(TlsTest, AServerNameOverridesTheHost) {
    serve(fakes::issue(authority_, "DNS:api.test"));
    EXPECT_EQ(fetch(trusting(authority_), "api.test"), "hello /x");
}

TEST_F(TlsTest, AnotherServerNameIsRefused) {
    serve(fakes::issue(authority_, "DNS:api.test"));
    EXPECT_THAT(fetch(trusting(authority_), "other.test"), HasSubstr("hostname mismatch"));
}

TEST_F(TlsTest, AnotherAuthorityIsRefused) {
    serve(fakes::issue(authority_, "IP:127.0.0.1"));
    EXPECT_THAT(fetch(trusting(fakes::make_authority())), HasSubstr("certificate not accepted"));
}

TEST_F(TlsTest, VerificationCanBeTurnedOff) {
    serve(fakes::issue(authority_, "DNS:whoever.test"));
    TlsOptions options;
    options.verify = false;
    EXPECT_EQ(fetch(options), "hello /x");
}

TEST(TlsContextTest, MaterialThatIsNotPemIsNamed) {
    TlsOptions options;
    options.ca = "nonsense";
    EXPECT_THAT(make_tls_context(options).error().context, HasSubstr("certificate authority"));
    const fakes::PemPair authority = fakes::make_authority();
    options.ca = authority.certificate;
    options.certificate = "nonsense";
    EXPECT_THAT(make_tls_context(options).error().context, HasSubstr("client certificate"));
    options.certificate = authority.certificate;
    options.key = fakes::make_authority().key;
    EXPECT_THAT(make_tls_context(options).error().context, HasSubstr("client key"));
}

}  // namespace
}  // namespace steelyard::http_client
