#include "e2e/apiserver/webhook/call_out.hpp"

#include "common/http/server/server.hpp"
#include "common/rt/sleep.hpp"
#include "common/testing/certificates.hpp"
#include "common/testing/loop.hpp"

#include <gtest/gtest.h>

namespace steelyard::apiserver {
namespace {

// A webhook on loopback that answers with the body it was sent, unless asked for /slow.
class CallOutTest : public testing::Test {
protected:
    void serve(const std::string& name) {
        const fakes::PemPair identity = fakes::issue(authority_, name);
        http_server::ServerConfig config;
        config.tls.emplace();
        config.tls->certificate_chain = identity.certificate;
        config.tls->private_key = identity.key;
        server_ = http_server::Server::listen(loop_.executor(), config, echo).value();
        loop_.spawn("server", server_->run());
    }
    HookCall call_to(const char* target) {
        HookCall call;
        call.host = "127.0.0.1";
        call.port = server_ ? server_->port() : std::uint16_t{1};
        call.tls_name = "hook.ns.svc";
        call.ca = authority_.certificate;
        call.target = target;
        call.body = "{}";
        call.timeout = std::chrono::seconds(1);
        return call;
    }
    HookAnswer answer_to(HookCall call) {
        HookAnswer answer;
        const auto test = [&]() -> awaitable<void> {
            answer = co_await call_out(std::move(call));
        };
        loop_.run(test());
        return answer;
    }

    fakes::Loop loop_;
    std::unique_ptr<http_server::Server> server_;
    fakes::PemPair authority_ = fakes::make_authority();

private:
    static awaitable<http_server::Response> echo(http_server::Request request) {
        if (request.path == "/slow") {
            co_await rt::sleep_for(std::chrono::minutes(1));
        }
        co_return http_server::json_response(200, request.method + " " + request.body);
    }
};

TEST_F(CallOutTest, AWebhookIsReachedAtAnAddressUnderItsServiceName) {
    serve("DNS:hook.ns.svc");

    const HookAnswer answer = answer_to(call_to("/x?timeout=1s"));

    EXPECT_EQ(answer.problem, "");
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.body, "POST {}");
}

TEST_F(CallOutTest, ACertificateForAnotherNameIsRefused) {
    serve("DNS:other.ns.svc");

    EXPECT_EQ(
        answer_to(call_to("/")).problem,
        "tls: failed to verify certificate: x509: certificate is not valid for hook.ns.svc"
    );
}

TEST_F(CallOutTest, AnotherAuthoritysCertificateIsRefused) {
    serve("DNS:hook.ns.svc");
    HookCall call = call_to("/");
    call.ca = fakes::make_authority().certificate;

    EXPECT_EQ(
        answer_to(std::move(call)).problem,
        "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    );
}

TEST_F(CallOutTest, NobodyThereIsARefusedConnection) {
    EXPECT_EQ(answer_to(call_to("/")).problem, "dial tcp 127.0.0.1:1: connect: connection refused");
}

TEST_F(CallOutTest, ASlowWebhookIsGivenUp) {
    serve("DNS:hook.ns.svc");

    EXPECT_EQ(answer_to(call_to("/slow")).problem, "context deadline exceeded");
}

}  // namespace
}  // namespace steelyard::apiserver
