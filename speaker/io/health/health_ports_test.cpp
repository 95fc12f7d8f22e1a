#include "speaker/io/health/health_ports.hpp"

#include "common/rt/sleep.hpp"
#include "common/testing/loop.hpp"
#include "common/testing/tcp_client.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <gmock/gmock.h>

namespace steelyard::io_health {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;
using fakes::TcpClient;
using health::ServiceHealth;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

const net::IpAddress kLoopback = net::IpAddress::v4(0x7f000001);
const net::IpAddress kOther = net::IpAddress::v4(0x7f000002);

constexpr const char* kAsk = "GET /any/path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
constexpr const char* kAskAndStay = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

class HealthPortsTest : public testing::Test {
protected:
    // `name` at `port` with some local endpoints.
    static ServiceHealth service(
        const std::string& name, std::uint16_t port, std::size_t endpoints = 1
    ) {
        ServiceHealth health;
        health.service = {"ns", name};
        health.port = port;
        health.local_endpoints = endpoints;
        return health;
    }

    std::uint16_t free_port() { return fakes::free_port(loop_.executor()); }

    // Runs the test's coroutine, then closes the ports.
    void run(awaitable<void> test) {
        ports_.set_addresses(std::vector{kLoopback});
        loop_.run(then_close(std::move(test)));
    }

    awaitable<TcpClient> connect(std::uint16_t port, net::IpAddress address = kLoopback) {
        TcpClient client(loop_.executor());
        const tcp::endpoint endpoint(asio::ip::make_address(to_string(address)), port);
        co_await client.connect(endpoint);
        co_return client;
    }

    // "" when nobody listens.
    awaitable<std::string> ask(std::uint16_t port, net::IpAddress address = kLoopback) {
        TcpClient client = co_await connect(port, address);
        if (!client.is_connected()) {
            co_return std::string();
        }
        co_await client.write(kAsk);
        co_return co_await client.read_all();
    }

    [[nodiscard]] std::vector<std::string> reasons() const {
        std::vector<std::string> result;
        for (const HealthPorts::Trouble& trouble : told_) {
            result.push_back(to_string(trouble.service) + ": " + trouble.reason);
        }
        return result;
    }

    fakes::Loop loop_;
    bool healthy_ = true;
    std::vector<HealthPorts::Trouble> told_;
    HealthPorts ports_{
        loop_.executor(),
        {[this] { return healthy_; },
         [this](const HealthPorts::Trouble& trouble) {
             told_.push_back(trouble);
         }},
        {1ms, 4ms}};

private:
    awaitable<void> then_close(awaitable<void> test) {
        co_await std::move(test);
        co_await ports_.close();
    }
};

TEST_F(HealthPortsTest, AnswersForItsServiceOnAnyPath) {
    const std::uint16_t port = free_port();
    const auto test = [&]() -> awaitable<void> {
        ports_.sync({service("web", port, 2)});
        const std::string answer = co_await ask(port);

        EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
        EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: application/json\r\n"));
        EXPECT_THAT(answer, HasSubstr("\r\nX-Content-Type-Options: nosniff\r\n"));
        EXPECT_THAT(answer, HasSubstr("\r\nX-Load-Balancing-Endpoint-Weight: 2\r\n"));
        EXPECT_THAT(answer, HasSubstr("\t\t\"name\": \"web\"\n"));
    };
    run(test());
    EXPECT_TRUE(told_.empty());
}

TEST_F(HealthPortsTest, TheAnswerFollowsEndpointsAndProxyWithoutReopening) {
    const std::uint16_t port = free_port();
    const auto test = [&]() -> awaitable<void> {
        ports_.sync({service("web", port, 1)});
        TcpClient kept = co_await connect(port);
        ports_.sync({service("web", port, 0)});
        const std::string answer1 = co_await ask(port);
        EXPECT_THAT(answer1, StartsWith("HTTP/1.1 503 "));
        ports_.sync({service("web", port, 3)});
        healthy_ = false;
        const std::string answer2 = co_await ask(port);
        EXPECT_THAT(answer2, StartsWith("HTTP/1.1 503 "));
        healthy_ = true;
        co_await kept.write(kAsk);
        const std::string answer3 = co_await kept.read_all();
        EXPECT_THAT(answer3, StartsWith("HTTP/1.1 200 "));
    };
    run(test());
}

TEST_F(HealthPortsTest, APortThatChangesIsClosedAndTheNewOneOpened) {
    const std::uint16_t old_port = free_port();
    const std::uint16_t new_port = free_port();
    const auto test = [&]() -> awaitable<void> {
        ports_.sync({service("web", old_port)});
        ports_.sync({service("web", new_port)});

        const std::string answer4 = co_await ask(old_port);
        EXPECT_EQ(answer4, "");
        const std::string answer5 = co_await ask(new_port);
        EXPECT_THAT(answer5, StartsWith("HTTP/1.1 200 "));
        ports_.sync({});
        const std::string answer6 = co_await ask(new_port);
        EXPECT_EQ(answer6, "");
        EXPECT_EQ(ports_.open(), 0U);
    };
    run(test());
}

TEST_F(HealthPortsTest, APortThatGoesToAnotherServiceStaysOpen) {
    const std::uint16_t port = free_port();
    const auto test = [&]() -> awaitable<void> {
        ports_.sync({service("web", port)});
        TcpClient kept = co_await connect(port);
        ports_.sync({service("api", port)});
        co_await kept.write(kAsk);

        const std::string answer7 = co_await kept.read_all();
        EXPECT_THAT(answer7, HasSubstr("\"name\": \"api\""));
    };
    run(test());
}

TEST_F(HealthPortsTest, ConnectionsAreKeptAlive) {
    const std::uint16_t port = free_port();
    const auto test = [&]() -> awaitable<void> {
        ports_.sync({service("web", port)});
        TcpClient socket = co_await connect(port);
        co_await socket.write(kAskAndStay);
        const std::string answer = co_await socket.read_until("\n}");
        EXPECT_THAT(answer, Not(HasSubstr("Connection: close")));
        co_await socket.write(kAsk);

        const std::string answer8 = co_await socket.read_all();
        EXPECT_THAT(answer8, StartsWith("HTTP/1.1 200 "));
    };
    run(test());
}

TEST_F(HealthPortsTest, WhoConnectedBeforeThePortClosedGetsAWholeAnswer) {
    const std::uint16_t port = free_port();
    const auto test = [&]() -> awaitable<void> {
        ports_.sync({service("web", port)});
        TcpClient waiting = co_await connect(port);  // the server has not accepted it yet
        ports_.sync({});
        co_await waiting.write(kAskAndStay);
        const std::string answer = co_await waiting.read_all();

        EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
        EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
        EXPECT_THAT(answer, EndsWith("\t\"serviceProxyHealthy\": true\n}"));
    };
    run(test());
}

TEST_F(HealthPortsTest, AKeptConnectionMayAskOnceMoreWhileThePortCloses) {
    const std::uint16_t port = free_port();
    const auto test = [&]() -> awaitable<void> {
        ports_.sync({service("web", port)});
        TcpClient socket = co_await connect(port);
        co_await socket.write(kAskAndStay);
        co_await socket.read_until("\n}");
        ports_.sync({});
        co_await socket.write(kAskAndStay);

        const std::string answer9 = co_await socket.read_all();
        EXPECT_THAT(answer9, StartsWith("HTTP/1.1 503 "));
    };
    run(test());
}

TEST_F(HealthPortsTest, OnePortForTwoServicesIsTheFirstsAndTold) {
    const std::uint16_t port = free_port();
    const auto test = [&]() -> awaitable<void> {
        ports_.sync({service("web", port), service("api", port)});
        const std::string answer10 = co_await ask(port);
        EXPECT_THAT(answer10, HasSubstr("\"name\": \"api\""));
        // Who has it keeps it, whoever comes before by name.
        ports_.sync({service("aaa", port), service("api", port)});
        const std::string answer11 = co_await ask(port);
        EXPECT_THAT(answer11, HasSubstr("\"name\": \"api\""));
        EXPECT_TRUE(ports_.troubles().contains({"ns", "aaa"}));
        ports_.sync({service("aaa", port)});
        const std::string answer12 = co_await ask(port);
        EXPECT_THAT(answer12, HasSubstr("\"name\": \"aaa\""));
        EXPECT_TRUE(ports_.troubles().empty());
    };
    run(test());
    const std::string reason =
        "healthCheckNodePort " + std::to_string(port) + ": Service ns/api has it already";
    EXPECT_THAT(reasons(), ElementsAre("ns/web: " + reason, "ns/aaa: " + reason));
}

TEST_F(HealthPortsTest, APortSomebodyHasIsToldOnceAndTakenWhenItIsFree) {
    tcp::acceptor other(loop_.executor(), {asio::ip::address_v4::loopback(), 0});
    const std::uint16_t port = other.local_endpoint().port();
    const auto test = [&]() -> awaitable<void> {
        ports_.sync({service("web", port)});
        ports_.sync({service("web", port, 2)});
        EXPECT_EQ(ports_.open(), 0U);
        EXPECT_EQ(ports_.troubles().size(), 1U);
        other.close();
        std::string answer;
        while (answer.empty()) {
            co_await rt::sleep_for(1ms);
            answer = co_await ask(port);
        }

        EXPECT_THAT(answer, HasSubstr("\"localEndpoints\": 2"));
        EXPECT_TRUE(ports_.troubles().empty());
    };
    run(test());
    const std::string number = std::to_string(port);
    EXPECT_THAT(
        reasons(),
        ElementsAre(
            "ns/web: healthCheckNodePort " + number + ": listen on 127.0.0.1 port " + number +
            ": Address already in use"
        )
    );
}

TEST_F(HealthPortsTest, ListensOnTheAddressesItIsGiven) {
    const std::uint16_t port = free_port();
    const auto test = [&]() -> awaitable<void> {
        ports_.sync({service("web", port)});
        const std::string answer13 = co_await ask(port, kOther);
        EXPECT_EQ(answer13, "");
        ports_.set_addresses(std::vector{kLoopback, kOther});
        const std::string answer14 = co_await ask(port, kOther);
        EXPECT_THAT(answer14, StartsWith("HTTP/1.1 200 "));
        const std::string answer15 = co_await ask(port);
        EXPECT_THAT(answer15, StartsWith("HTTP/1.1 200 "));
        ports_.set_addresses(std::vector{kOther});
        const std::string answer16 = co_await ask(port);
        EXPECT_EQ(answer16, "");
        ports_.set_addresses(std::vector<net::IpAddress>());
        const std::string answer17 = co_await ask(port, kOther);
        EXPECT_EQ(answer17, "");
    };
    run(test());
}

TEST_F(HealthPortsTest, ListensOnEveryAddressWhenItIsGivenNone) {
    const std::uint16_t port = free_port();
    const auto test = [&]() -> awaitable<void> {
        ports_.set_addresses(std::nullopt);
        ports_.sync({service("web", port)});
        const std::string answer18 = co_await ask(port);
        EXPECT_THAT(answer18, StartsWith("HTTP/1.1 200 "));
        const std::string answer19 = co_await ask(port, kOther);
        EXPECT_THAT(answer19, StartsWith("HTTP/1.1 200 "));
        EXPECT_TRUE(ports_.troubles().empty());
        if (ports_.open() == 2) {  // the machine has IPv6
            const net::IpAddress loopback = net::IpAddress::parse("::1").value();
            const std::string answer20 = co_await ask(port, loopback);
            EXPECT_THAT(answer20, StartsWith("HTTP/1.1 200 "));
        }
    };
    run(test());
}

TEST_F(HealthPortsTest, ClosingAnswersWhoIsConnected) {
    const std::uint16_t port = free_port();
    std::string answer;
    const auto client = [&]() -> awaitable<void> {
        TcpClient socket = co_await connect(port);
        co_await socket.write(kAskAndStay);
        answer = co_await socket.read_all();
    };
    const auto test = [&]() -> awaitable<void> {
        ports_.sync({service("web", port)});
        TcpClient probe = co_await connect(port);
        loop_.spawn("client", client());
        co_await rt::sleep_for(1ms);
    };
    run(test());
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 "));
    EXPECT_EQ(ports_.open(), 0U);
}

}  // namespace
}  // namespace steelyard::io_health
