#include "speaker/app/proxy/kube_proxy.hpp"

#include "common/http/server/server.hpp"
#include "common/rt/task_group.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <memory>

namespace steelyard::speaker {
namespace {

class KubeProxyTest : public testing::Test {
protected:
    // What is found on a port that answers every request like this.
    std::optional<std::string> found_when(
        unsigned status,
        const std::string& body,
        const http_server::Headers& headers = {},
        const std::string& address = "127.0.0.1"
    ) {
        const http_server::Handler handler = [=](http_server::Request) {
            return answer(status, body, headers);
        };
        http_server::ServerConfig config;
        config.listen_address = address;
        auto server = http_server::Server::listen(ioc_.get_executor(), config, handler);
        EXPECT_TRUE(server.has_value());
        servers_.spawn("server", (*server)->run());
        look((*server)->port());
        return found_;
    }

    void look(std::uint16_t port) {
        rt::TaskGroup tasks(ioc_.get_executor(), on_exit);
        tasks.spawn("look", ask(port));
        ioc_.run();
    }

    std::optional<std::string> found_;

private:
    static void on_exit(const std::string& name, const std::exception_ptr& error) {
        EXPECT_FALSE(error) << name << ": " << rt::describe(error);
    }
    static awaitable<http_server::Response> answer(
        unsigned status, std::string body, http_server::Headers headers
    ) {
        http_server::Response response = http_server::text_response(status, std::move(body));
        response.headers = std::move(headers);
        co_return response;
    }
    awaitable<void> ask(std::uint16_t port) {
        found_ = co_await running_kube_proxy(port);
        servers_.cancel();
    }

    asio::io_context ioc_{1};
    rt::TaskGroup servers_{ioc_.get_executor(), on_exit};
};

TEST_F(KubeProxyTest, ARunningOneIsFoundByItsMode) {
    EXPECT_EQ(found_when(200, "ipvs"), "ipvs");
}

TEST_F(KubeProxyTest, OneWithABindAddressOfIpv6IsFoundOnItsLoopbackAddress) {
    EXPECT_EQ(found_when(200, "iptables", {}, "::1"), "iptables");
}

TEST_F(KubeProxyTest, SomebodyElseOnItsPortIsNotTakenForIt) {
    EXPECT_EQ(found_when(200, "<html>"), std::nullopt);
}

TEST_F(KubeProxyTest, AnotherSteelyardIsNotTakenForIt) {
    EXPECT_EQ(found_when(200, "ipvs", {{"Server", "steelyard"}}), std::nullopt);
}

TEST_F(KubeProxyTest, AnErrorPageIsNotTakenForIt) {
    EXPECT_EQ(found_when(404, "ipvs"), std::nullopt);
}

TEST_F(KubeProxyTest, NobodyOnThePortMeansNone) {
    std::uint16_t port = 0;
    {
        asio::io_context ioc(1);
        auto server = http_server::Server::listen(ioc.get_executor(), {}, {});
        ASSERT_TRUE(server.has_value());
        port = (*server)->port();
    }
    look(port);
    EXPECT_EQ(found_, std::nullopt);
}

}  // namespace
}  // namespace steelyard::speaker
