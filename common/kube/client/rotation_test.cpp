#include "common/http/server/server.hpp"
#include "common/kube/client/http_api.hpp"
#include "common/testing/certificates.hpp"
#include "common/testing/loop.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

// An API server whose certificate and authority are renewed under the client.
namespace steelyard::kube {
namespace {

using testing::HasSubstr;

class RotationTest : public testing::Test {
protected:
    RotationTest() : ca_file_(testing::TempDir() + "steelyard_rotation_ca") {}
    ~RotationTest() override { std::filesystem::remove(ca_file_); }

    std::unique_ptr<http_server::Server> serve(
        const fakes::PemPair& authority, std::uint16_t port, rt::TaskGroup& tasks
    ) {
        const fakes::PemPair identity = fakes::issue(authority, "IP:127.0.0.1");
        http_server::ServerConfig config;
        config.port = port;
        config.tls.emplace();
        config.tls->certificate_chain = identity.certificate;
        config.tls->private_key = identity.key;
        auto server = http_server::Server::listen(
            loop_.executor(),
            config,
            [](http_server::Request) -> awaitable<http_server::Response> {
                co_return http_server::text_response(200, "{}");
            }
        );
        EXPECT_TRUE(server) << to_string(server.error());
        tasks.spawn("server", (*server)->run());
        return std::move(*server);
    }
    void trust(const fakes::PemPair& authority) const {
        std::ofstream(ca_file_) << authority.certificate;
    }

    std::string ca_file_;
    fakes::Loop loop_;
    fakes::PemPair old_ = fakes::make_authority();
    fakes::PemPair new_ = fakes::make_authority();
};

TEST_F(RotationTest, ANewAuthorityIsReadAsSoonAsAHandshakeFails) {
    trust(old_);
    rt::TaskGroup first(loop_.executor(), [](const std::string&, std::exception_ptr) {});
    rt::TaskGroup second(loop_.executor(), [](const std::string&, std::exception_ptr) {});
    auto server = serve(old_, 0, first);
    ClientConfig config;
    config.host = "127.0.0.1";
    config.port = server->port();
    config.certificate_authority.file = ca_file_;
    auto api = std::move(HttpKubeApi::make(config).value());
    const auto test = [&]() -> awaitable<void> {
        ObjectKey key;
        key.name = "a";
        const ObjectRef object(Resource<Namespace>::kType, key);
        EXPECT_TRUE(co_await api->get(object));
        auto watch = co_await api->stream("/watch");
        EXPECT_TRUE(watch);

        first.cancel();
        co_await first.join();
        server.reset();
        server = serve(new_, config.port, second);
        auto refused = co_await api->get(object);
        EXPECT_FALSE(refused);
        EXPECT_THAT(to_string(refused.error()), HasSubstr("certificate not accepted"));
        trust(new_);
        EXPECT_TRUE(co_await api->get(object));
        auto again = co_await api->stream("/watch");
        EXPECT_TRUE(again);
        second.cancel();
        co_await second.join();
    };

    loop_.run(test());
}

}  // namespace
}  // namespace steelyard::kube
