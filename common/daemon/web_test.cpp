#include "common/daemon/web.hpp"

#include "common/rt/task_group.hpp"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace steelyard::daemon {
namespace {

using testing::HasSubstr;

class WebTest : public testing::Test {
protected:
    http_server::Response get(const std::string& path, const std::string& method = "GET") {
        http_server::Request request;
        request.method = method;
        request.path = path;
        http_server::Response response;
        asio::io_context ioc(1);
        rt::TaskGroup tasks(ioc.get_executor(), [](const std::string&, std::exception_ptr error) {
            EXPECT_FALSE(error) << rt::describe(error);
        });
        Pages pages;
        pages.not_ready = [this] {
            return why_;
        };
        pages.refresh_metrics = [this] {
            return refresh();
        };
        const http_server::Handler handler = web_handler(pages, registry_);
        tasks.spawn("ask", ask(handler, request, response));
        ioc.run();
        return response;
    }

    metrics::Registry registry_;
    std::string why_;

private:
    static awaitable<void> ask(
        const http_server::Handler& handler,
        http_server::Request request,
        http_server::Response& out
    ) {
        out = co_await handler(std::move(request));
    }
    awaitable<void> refresh() {
        registry_.gauge("steelyard_test", "Set when asked for.").set(7);
        co_return;
    }
};

TEST_F(WebTest, HealthzIsOkAsLongAsTheLoopTurns) {
    EXPECT_EQ(get("/healthz").status, 200U);
}

TEST_F(WebTest, ReadyzSaysWhyNot) {
    EXPECT_EQ(get("/readyz").status, 200U);
    why_ = "the first lists are not complete";
    EXPECT_EQ(get("/readyz").status, 503U);
    EXPECT_EQ(get("/readyz").body, "the first lists are not complete\n");
}

TEST_F(WebTest, MetricsAreRefreshedBeforeTheyAreRendered) {
    EXPECT_THAT(get("/metrics").body, HasSubstr("steelyard_test 7"));
}

TEST_F(WebTest, OtherPathsAndMethodsAreRefused) {
    EXPECT_EQ(get("/").status, 404U);
    EXPECT_EQ(get("/healthz", "POST").status, 405U);
}

TEST(ListenTest, TakenPortIsRefusedWithTheReason) {
    asio::io_context ioc(1);
    const auto first = listen(ioc.get_executor(), "127.0.0.1", 0, http_server::Handler());
    ASSERT_TRUE(first);

    const auto second =
        listen(ioc.get_executor(), "127.0.0.1", (*first)->port(), http_server::Handler());

    ASSERT_FALSE(second);
    EXPECT_THAT(to_string(second.error()), HasSubstr("Address already in use"));
}

}  // namespace
}  // namespace steelyard::daemon
