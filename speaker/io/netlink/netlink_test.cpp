#include "common/rt/task_group.hpp"
#include "speaker/io/netlink/link_monitor.hpp"
#include "speaker/io/netlink/socket.hpp"
#include "speaker/io/netlink/sysctl.hpp"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include <cerrno>
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

Bytes ask_for_family(std::string_view name) {
    MessageWriter message(GENL_ID_CTRL, 0);
    genlmsghdr header{};
    header.cmd = CTRL_CMD_GETFAMILY;
    message.header(header);
    message.text(CTRL_ATTR_FAMILY_NAME, name);
    return message.take();
}

TEST(RequestSocketTest, ARefusalInABatchStopsNothingElse) {
    asio::io_context ioc(1);
    rt::TaskGroup tasks(ioc.get_executor(), [](const std::string&, const std::exception_ptr&) {});
    auto socket = RequestSocket::open(ioc.get_executor(), NETLINK_GENERIC).value();
    constexpr std::size_t kCount = 2000;
    const RequestSocket::Encode encode = [](std::size_t index) {
        return ask_for_family(index % 5 == 3 ? "no-such-family" : "nlctrl");
    };
    BatchResult result;
    const auto ask = [&]() -> awaitable<void> {
        result = co_await socket->batch(kCount, encode);
    };
    tasks.spawn("ask", ask());
    ioc.run();

    ASSERT_THAT(result.errors, testing::SizeIs(kCount));
    for (std::size_t i = 0; i < kCount; ++i) {
        EXPECT_EQ(result.errors[i], i % 5 == 3 ? ENOENT : 0) << i;
    }
    EXPECT_EQ(result.sends, 3U);
}

TEST(RequestSocketTest, ADumpIsShownMessageByMessageToItsEnd) {
    asio::io_context ioc(1);
    rt::TaskGroup tasks(ioc.get_executor(), [](const std::string&, const std::exception_ptr&) {});
    auto socket = RequestSocket::open(ioc.get_executor(), NETLINK_GENERIC).value();
    MessageWriter message(GENL_ID_CTRL, NLM_F_DUMP);
    genlmsghdr header{};
    header.cmd = CTRL_CMD_GETFAMILY;
    message.header(header);
    Bytes request = message.take();
    std::size_t shown = 0;
    std::size_t at_once = 0;
    const auto ask = [&]() -> awaitable<void> {
        const RequestSocket::OnMessage count = [&](const Message&) {
            ++shown;
        };
        const RequestSocket::OnRestart forget = [&] {
            shown = 0;
        };
        const auto done = co_await socket->dump(request, count, forget);
        EXPECT_TRUE(done);
        const RequestSocket::OnMessage count_again = [&](const Message&) {
            ++at_once;
        };
        EXPECT_TRUE(socket->dump_at_once(request, count_again).value());
    };
    tasks.spawn("ask", ask());
    ioc.run();

    EXPECT_GT(shown, 0U);
    EXPECT_EQ(at_once, shown);
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
