#include "e2e/apiserver/callout/exchange.hpp"
#include "e2e/apiserver/callout/resolve.hpp"

#include <gtest/gtest.h>

namespace steelyard::apiserver {
namespace {

constexpr auto kTimeout = std::chrono::seconds(7);

class ResolveTest : public testing::Test {
protected:
    void service() {
        store.put("services.", parse_json(R"({"metadata":{"name":"hook","namespace":"ns"},
            "spec":{"ports":[{"name":"web","port":443,"targetPort":9443}]}})"));
    }
    void slice(const std::string& endpoints) {
        store.put(
            "endpointslices.discovery.k8s.io",
            parse_json(
                R"({"metadata":{"name":"hook-1","namespace":"ns","labels":
                {"kubernetes.io/service-name":"hook"}},"ports":[{"name":"web","port":9443}],
                "endpoints":)" +
                endpoints + "}"
            )
        );
    }
    HookCall resolve(std::size_t choice = 0) {
        const Json config =
            parse_json(R"({"service":{"name":"hook","namespace":"ns","path":"/validate"}})");
        return resolve_hook(config, kTimeout, store, choice);
    }

    Store store;
};

TEST_F(ResolveTest, AServiceIsReachedAtAReadyEndpointUnderItsOwnName) {
    service();
    slice(R"([{"addresses":["10.0.0.1"],"conditions":{"ready":false}},
              {"addresses":["10.0.0.2"],"conditions":{"ready":true}},
              {"addresses":["10.0.0.3"]}])");

    const HookCall first = resolve(0);
    const HookCall second = resolve(1);

    EXPECT_EQ(first.problem, "");
    EXPECT_EQ(first.host, "10.0.0.2");
    EXPECT_EQ(first.port, 9443);
    EXPECT_EQ(first.tls_name, "hook.ns.svc");
    EXPECT_EQ(first.url, "https://hook.ns.svc:443/validate?timeout=7s");
    EXPECT_EQ(second.host, "10.0.0.3");
}

TEST_F(ResolveTest, WhatIsMissingIsToldAsKubernetesTellsIt) {
    EXPECT_EQ(resolve().problem, "service \"hook\" not found");
    service();
    EXPECT_EQ(resolve().problem, "no endpoints available for service \"hook\"");
    slice(R"([{"addresses":["10.0.0.1"],"conditions":{"ready":false}}])");
    EXPECT_EQ(resolve().problem, "no endpoints available for service \"hook\"");
    const Json port = parse_json(R"({"service":{"name":"hook","namespace":"ns","port":80}})");
    EXPECT_EQ(
        resolve_hook(port, kTimeout, store, 0).problem,
        "no service port 80 found for service \"hook\""
    );
}

TEST(ResolveUrlTest, UrlsAreTakenApart) {
    const struct {
        const char* url;
        const char* host;
        std::uint16_t port;
        const char* target;
    } cases[] = {
        {"https://a.test/x", "a.test", 443, "/x?timeout=7s"},
        {"https://a.test:8443/x?y=1", "a.test", 8443, "/x?y=1&timeout=7s"},
        {"https://[fd00::1]:8443", "fd00::1", 8443, "/?timeout=7s"},
        {"https://127.0.0.1:1/", "127.0.0.1", 1, "/?timeout=7s"},
    };
    const Store store;
    for (const auto& c : cases) {
        const HookCall call = resolve_hook(Json{{"url", c.url}}, kTimeout, store, 0);
        EXPECT_EQ(call.problem, "") << c.url;
        EXPECT_EQ(call.host, c.host);
        EXPECT_EQ(call.port, c.port);
        EXPECT_EQ(call.target, c.target);
    }
    for (const char* url : {"http://a.test/x", "https://:80/", "https://a.test:99999/"}) {
        EXPECT_NE(resolve_hook(Json{{"url", url}}, kTimeout, store, 0).problem, "") << url;
    }
}

TEST(ResolveUrlTest, ABundleThatIsNoPemStandsInTheWay) {
    const Store store;
    const Json config{{"url", "https://a.test/"}, {"caBundle", "Cg=="}};

    EXPECT_EQ(
        resolve_hook(config, kTimeout, store, 0).problem,
        "unable to load root certificates: unable to parse bytes as PEM block"
    );
}

TEST(ExchangeTest, AQuestionIsAskedOnceAndItsAnswerKept) {
    Exchange exchange{Rng(1)};
    const HookCall call;

    EXPECT_EQ(exchange.ask("q", call), nullptr);
    EXPECT_EQ(exchange.ask("q", call), nullptr);
    EXPECT_TRUE(exchange.pending());
    EXPECT_EQ(exchange.take_wanted().size(), 1U);
    HookAnswer answer;
    answer.status = 200;
    exchange.answer("q", answer);

    ASSERT_NE(exchange.ask("q", call), nullptr);
    EXPECT_EQ(exchange.ask("q", call)->status, 200U);
    EXPECT_FALSE(exchange.pending());
}

TEST(ExchangeTest, AHookThatCannotBeCalledNeedsNoAsking) {
    Exchange exchange{Rng(1)};
    HookCall call;
    call.problem = "service \"x\" not found";

    const HookAnswer* answer = exchange.ask("q", call);

    ASSERT_NE(answer, nullptr);
    EXPECT_EQ(hook_failure("https://x/", *answer), "Post \"https://x/\": service \"x\" not found");
    EXPECT_FALSE(exchange.pending());
}

TEST(ExchangeTest, WhatIsKeptDoesNotChangeFromTryToTry) {
    Exchange exchange{Rng(1)};
    const std::string first = exchange.uid("a");

    EXPECT_EQ(exchange.uid("a"), first);
    EXPECT_NE(exchange.uid("b"), first);
}

}  // namespace
}  // namespace steelyard::apiserver
