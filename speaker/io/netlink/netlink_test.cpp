#include "common/rt/task_group.hpp"
#include "speaker/io/netlink/link_monitor.hpp"
#include "speaker/io/netlink/socket.hpp"
#include "speaker/io/netlink/sysctl.hpp"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include <filesystem>
#include <fstream>

namespace steelyard::netlink {
namespace {

TEST(SysctlTest, WritesOnlyADifferenceAndNamesWhatIsMissing) {
    const std::string root = testing::TempDir() + "sysctl/";
    std::filesystem::create_directories(root + "net");
    std::ofstream(root + "net/x") << "0\n";

    EXPECT_TRUE(ensure({"net/x", "1"}, root).value());
    EXPECT_FALSE(ensure({"net/x", "1"}, root).value());
    EXPECT_FALSE(ensure({"net/absent", "1", true}, root).value());
    EXPECT_EQ(
        ensure({"net/absent", "1"}, root).error().context, root + "net/absent does not exist"
    );
}

// The next two ask the machine's own kernel, which any user may.
TEST(RequestSocketTest, AFamilyNobodyHasIsAnError) {
    asio::io_context ioc(1);
    rt::TaskGroup tasks(ioc.get_executor(), [](const std::string&, const std::exception_ptr&) {});
    auto socket = RequestSocket::open(ioc.get_executor(), NETLINK_GENERIC).value();
    bool failed = false;
    const auto ask = [&]() -> awaitable<void> {
        MessageWriter message(GENL_ID_CTRL, 0);
        genlmsghdr header{};
        header.cmd = CTRL_CMD_GETFAMILY;
        message.header(header);
        message.text(CTRL_ATTR_FAMILY_NAME, "no-such-family");
        Bytes request = message.take();
        auto replies = co_await socket->exchange(std::move(request));
        failed = replies.has_error() &&
                 replies.error().code == boost::system::errc::no_such_file_or_directory;
    };
    tasks.spawn("ask", ask());
    ioc.run();

    EXPECT_TRUE(failed);
}

TEST(LinkMonitorTest, SeesTheLoopback) {
    asio::io_context ioc(1);
    rt::TaskGroup tasks(ioc.get_executor(), [](const std::string&, const std::exception_ptr&) {});
    LinkMonitor monitor(ioc.get_executor(), {}, [](const auto&) {});
    bool started = false;
    const auto start = [&]() -> awaitable<void> {
        auto result = co_await monitor.start();
        started = result.has_value();
    };
    tasks.spawn("start", start());
    ioc.run();
    ASSERT_TRUE(started);

    EXPECT_THAT(monitor.snapshot(), testing::Contains(testing::Field(&net::Interface::name, "lo")));

    tasks.spawn("follow", monitor.run());  // ends when asked to
    ioc.restart();
    ioc.poll();
    tasks.cancel();
    ioc.restart();
    ioc.run();
    EXPECT_EQ(tasks.size(), 0U);
}

}  // namespace
}  // namespace steelyard::netlink
