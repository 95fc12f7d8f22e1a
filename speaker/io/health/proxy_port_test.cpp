#include "speaker/io/health/proxy_port.hpp"

#include "common/http/client/client.hpp"
#include "common/rt/sleep.hpp"
#include "common/testing/loop.hpp"
#include "speaker/io/health/pages.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <gmock/gmock.h>

#include <array>

namespace steelyard::io_health {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;
using testing::ElementsAre;
using testing::HasSubstr;

const net::IpAddress kLoopback = net::IpAddress::v4(0x7f000001);
constexpr std::array kLoopbacks{"127.0.0.1", "::1"};

class ProxyPortTest : public testing::Test {
protected:
    void make(
        http_server::Handler handler, std::uint16_t port = 0, net::IpAddress address = kLoopback
    ) {
        port_ = std::make_unique<ProxyPort>(
            loop_.executor(),
            "healthzBindAddress",
            net::Endpoint{address, port},
            std::move(handler),
            ProxyPort::Callbacks{
                [this](const std::string& reason) { troubles_.push_back(reason); },
                [this] {
                    ++opened_;
                }},
            1ms
        );
    }

    // One request to the port once it serves; the errors of a client are an empty answer.
    awaitable<http_client::Response> ask(
        std::string target, std::string method = "GET", std::string host = "127.0.0.1"
    ) {
        http_client::Server server;
        server.host = std::move(host);
        server.port = port_->port();
        http_client::Client client(server, http_client::Limits());
        http_client::Request request;
        request.method = std::move(method);
        request.target = std::move(target);
        auto answer = co_await client.send(std::move(request));
        if (!answer) {
            ADD_FAILURE() << to_string(answer.error());
            co_return http_client::Response();
        }
        co_return std::move(*answer);
    }

    // Serves the handler and asks for one page.
    http_client::Response answer_to(
        http_server::Handler handler, const std::string& target, const std::string& method = "GET"
    ) {
        make(std::move(handler));
        EXPECT_TRUE(port_->open().has_value());
        loop_.spawn("port", port_->run());
        http_client::Response answer;
        const auto test = [&]() -> awaitable<void> {
            answer = co_await ask(target, method);
        };
        loop_.run(test());
        return answer;
    }

    static awaitable<http_server::Response> ok(http_server::Request) {
        co_return http_server::text_response(200, "ok");
    }

    std::vector<std::string> troubles_;
    int opened_ = 0;
    fakes::Loop loop_;  // run() ends the tasks that use the port, which has to die before it
    std::unique_ptr<ProxyPort> port_;
};

TEST_F(ProxyPortTest, ATakenPortIsAnErrorThatSaysWhoMayHaveIt) {
    tcp::acceptor other(loop_.executor(), {asio::ip::address_v4::loopback(), 0});
    const std::uint16_t number = other.local_endpoint().port();
    make(ok, number);

    const Result<> opened = port_->open();

    ASSERT_FALSE(opened);
    EXPECT_EQ(
        opened.error().context,
        "healthzBindAddress 127.0.0.1:" + std::to_string(number) +
            ": the port is taken, most likely by a kube-proxy that runs on this node; only one of "
            "the two may run: stop kube-proxy, or choose another address"
    );
}

TEST_F(ProxyPortTest, ATakenPortIsToldOnceAndServedWhenItIsFree) {
    tcp::acceptor other(loop_.executor(), {asio::ip::address_v4::loopback(), 0});
    make(ok, other.local_endpoint().port());
    loop_.spawn("port", port_->run());
    const auto test = [&]() -> awaitable<void> {
        co_await rt::sleep_for(10ms);
        EXPECT_FALSE(port_->is_open());
        other.close();
        while (!port_->is_open()) {
            co_await rt::sleep_for(1ms);
        }
        const http_client::Response answer = co_await ask("/");
        EXPECT_EQ(answer.body, "ok");
    };
    loop_.run(test());
    EXPECT_THAT(troubles_, ElementsAre(HasSubstr("the port is taken")));
    EXPECT_EQ(opened_, 1);
}

TEST_F(ProxyPortTest, AnAddressTheNodeLacksIsTold) {
    port_ = std::make_unique<ProxyPort>(
        loop_.executor(),
        "metricsBindAddress",
        net::Endpoint{net::IpAddress::v4(0xc0000201), 0},
        ok,
        ProxyPort::Callbacks{}
    );

    const Result<> opened = port_->open();

    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().context, HasSubstr("metricsBindAddress 192.0.2.1:0: "));
}

// What kube-proxy does with bindAddress "::".
TEST_F(ProxyPortTest, EveryAddressOfIpv6IsEveryAddressOfIpv4Too) {
    make(ok, 0, net::IpAddress::v6({}));
    loop_.spawn("port", port_->run());
    const auto test = [&]() -> awaitable<void> {
        for (const char* host : kLoopbacks) {
            const http_client::Response answer = co_await ask("/", "GET", host);
            EXPECT_EQ(answer.body, "ok") << host;
        }
    };
    EXPECT_TRUE(port_->open());
    loop_.run(test());
}

TEST_F(ProxyPortTest, ATakenPortOfIpv6IsNamedAsItIsWritten) {
    tcp::acceptor other(loop_.executor(), {asio::ip::address_v6::loopback(), 0});
    const std::uint16_t number = other.local_endpoint().port();
    make(ok, number, net::IpAddress::v6({}));

    const Result<> opened = port_->open();

    ASSERT_FALSE(opened);
    const std::string where = "healthzBindAddress [::]:" + std::to_string(number) + ": the port is";
    EXPECT_THAT(opened.error().context, HasSubstr(where));
}

class HealthPagesTest : public ProxyPortTest {
protected:
    http_server::Handler handler() {
        HealthPages pages;
        pages.healthz = [] {
            return health::Response{503, "application/json", {{"X-A", "b"}}, "{\"z\":1}"};
        };
        pages.livez = [] {
            return health::Response{200, "application/json", {}, "{\"l\":1}"};
        };
        pages.on_healthz = [this](unsigned status) {
            healthz_.push_back(status);
        };
        pages.on_livez = [this](unsigned status) {
            livez_.push_back(status);
        };
        return health_handler(std::move(pages));
    }

    std::vector<unsigned> healthz_;
    std::vector<unsigned> livez_;
};

TEST_F(HealthPagesTest, HealthzIsPassedOnAndCounted) {
    const auto answer = answer_to(handler(), "/healthz");

    EXPECT_EQ(answer.head.status, 503U);
    EXPECT_EQ(answer.head.header("Content-Type"), "application/json");
    EXPECT_EQ(answer.head.header("X-A"), "b");
    EXPECT_EQ(answer.head.header("Server"), "steelyard");
    EXPECT_EQ(answer.body, "{\"z\":1}");
    EXPECT_THAT(healthz_, ElementsAre(503U));
    EXPECT_TRUE(livez_.empty());
}

TEST_F(HealthPagesTest, LivezIsPassedOnAndCounted) {
    const auto answer = answer_to(handler(), "/livez?verbose");

    EXPECT_EQ(answer.head.status, 200U);
    EXPECT_EQ(answer.body, "{\"l\":1}");
    EXPECT_THAT(livez_, ElementsAre(200U));
}

TEST_F(HealthPagesTest, OtherPagesAreNotThere) {
    EXPECT_EQ(answer_to(handler(), "/").head.status, 404U);
    EXPECT_TRUE(healthz_.empty());
}

struct PageCase {
    const char* name;
    const char* method;
    const char* target;
    unsigned status;
    const char* content_type;
    const char* body;
};
class MetricsPagesTest : public ProxyPortTest, public testing::WithParamInterface<PageCase> {
protected:
    http_server::Handler handler() {
        registry_.gauge("kubeproxy_x", "X.").set(0);
        MetricsPages pages;
        pages.refresh = [this]() -> awaitable<void> {
            registry_.gauge("kubeproxy_x", "X.").set(7);
            co_return;
        };
        pages.configz = [] {
            return "{\"mode\":\"ipvs\"}";
        };
        return metrics_handler(std::move(pages), registry_);
    }

    metrics::Registry registry_;
};

TEST_P(MetricsPagesTest, AnswersAsKubeProxyDoesAndSaysWhoItIs) {
    const auto answer = answer_to(handler(), GetParam().target, GetParam().method);

    EXPECT_EQ(answer.head.status, GetParam().status);
    EXPECT_EQ(answer.head.header("Content-Type"), GetParam().content_type);
    EXPECT_EQ(answer.head.header("Server"), "steelyard");
    EXPECT_THAT(answer.body, HasSubstr(GetParam().body));
}

constexpr const char* kPlain = "text/plain; charset=utf-8";
INSTANTIATE_TEST_SUITE_P(
    All,
    MetricsPagesTest,
    testing::Values(
        PageCase{"ProxyMode", "GET", "/proxyMode", 200, kPlain, "ipvs"},
        PageCase{"Healthz", "GET", "/healthz", 200, kPlain, "ok"},
        PageCase{"Metrics", "GET", "/metrics", 200, metrics::kContentType, "kubeproxy_x 7\n"},
        PageCase{"Configz", "GET", "/configz", 200, "application/json", "{\"mode\":\"ipvs\"}"},
        PageCase{"FlagzNobodyGave", "GET", "/flagz", 404, kPlain, "/configz\n"},
        PageCase{"Post", "POST", "/proxyMode", 405, kPlain, "only GET"}
    ),
    [](const auto& parameter) { return std::string(parameter.param.name); }
);

}  // namespace
}  // namespace steelyard::io_health
