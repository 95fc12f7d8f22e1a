#include "speaker/io/dataplane/dataplane.hpp"

#include "common/rt/task_group.hpp"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace steelyard::dataplane {
namespace {

TEST(DataplaneTest, AnnounceOnlyModeTouchesNothingAndNeedsNoPrivilege) {
    asio::io_context ioc(1);
    proxy::ProxyConfig config;
    config.mode = proxy::Mode::AnnounceOnly;
    const auto dataplane = make_ipvs_dataplane(ioc.get_executor(), config);
    std::optional<Result<Report>> report;
    rt::TaskGroup tasks(ioc.get_executor(), [](const std::string&, const std::exception_ptr&) {});
    const auto run = [&]() -> awaitable<void> {
        const auto started = co_await dataplane->start();
        EXPECT_TRUE(started);
        report = co_await dataplane->apply(proxy::Changes());
    };
    tasks.spawn("run", run());

    ioc.run();

    ASSERT_TRUE(report && *report);
    EXPECT_EQ((*report)->sends, 0U);
    EXPECT_THAT(*(*report)->servable, testing::IsEmpty());
}

}  // namespace
}  // namespace steelyard::dataplane
