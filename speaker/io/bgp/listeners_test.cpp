#include "speaker/io/bgp/listeners.hpp"

#include "speaker/io/bgp/bgp_fixture.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>

// Who is let in, and what happens when nobody can be.
namespace steelyard::io {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class BgpListenersTest : public testing::Test, protected BgpFixture {
protected:
    bgp::PeerConfig passive(const std::string& name, std::uint32_t asn = 64513) {
        bgp::PeerConfig out = peer(name, "127.0.0.9");
        out.remote_as.asn = asn;
        out.passive = true;
        return out;
    }
    std::size_t logged(const BgpNode& node, const std::string& part) {
        return static_cast<std::size_t>(std::count_if(
            node.log.begin(),
            node.log.end(),
            [&](const std::string& line) { return line.find(part) != std::string::npos; }
        ));
    }
};

TEST_F(BgpListenersTest, APasswordTheKernelDidNotTakeLetsNobodyIn) {
    BgpNode& node = add_node();
    TestRouter& router = add_router();
    bgp::PeerConfig config = passive("tor");
    config.password = std::string(81, 'x');
    node.driver->set_peers({config});

    router.call("127.0.0.1", node.driver->listen_port());

    EXPECT_TRUE(run_until([&] { return router.ended(); }));
    EXPECT_FALSE(node.established("tor"));
    EXPECT_EQ(node.driver->unknown_callers(), 1U);
    EXPECT_EQ(logged(node, "xxx"), 0U) << "passwords are not for the log";
}

TEST_F(BgpListenersTest, WhoConnectedBeforeThereWasAPasswordIsNotLetInWithIt) {
    BgpNode& node = add_node();
    TestRouter& router = add_router();
    bgp::PeerConfig config = passive("tor");
    node.driver->set_peers({config});
    router.call("127.0.0.1", node.driver->listen_port());

    config.password = "secret";
    node.driver->set_peers({config});

    EXPECT_TRUE(run_until([&] { return router.ended(); }));
    EXPECT_FALSE(node.established("tor"));
    EXPECT_NE(node.driver->listen_port(), 0);
}

TEST_F(BgpListenersTest, AVrfMadeAnewIsListenedOnAnew) {
    rt::TaskGroup tasks(ioc_.get_executor(), [](const std::string&, const std::exception_ptr&) {});
    std::size_t calls = 0;
    Listeners listeners(
        ioc_.get_executor(),
        0,
        tasks,
        {[&](const Listeners::Caller&) { ++calls; },
         [](const std::string& line) { ADD_FAILURE() << line; },
         [](const std::string&) {
         }}
    );
    Listeners::Wanted wanted;
    wanted[{"", net::Family::V4}].device = 7;
    listeners.set(wanted, Instant{});
    TestRouter& router = add_router();
    router.call("127.0.0.1", listeners.port());

    wanted[{"", net::Family::V4}].device = 8;
    listeners.set(wanted, Instant{});

    EXPECT_TRUE(run_until([&] { return router.ended(); }));
    router.call("127.0.0.1", listeners.port());
    EXPECT_TRUE(run_until([&] { return calls == 1; }));
    listeners.close();
    run(tasks.join());
}

TEST_F(BgpListenersTest, TwoPasswordsForOneAddressAreSaidOnce) {
    BgpNode& node = add_node();
    bgp::PeerConfig one = passive("one");
    bgp::PeerConfig two = passive("two", 64514);
    one.password = "first-secret";
    two.password = "second-secret";

    node.driver->set_peers({one, two});
    node.driver->set_peers({one, two});

    EXPECT_THAT(
        node.log,
        ElementsAre(HasSubstr("peers one and two have the address 127.0.0.9 and different passwords"
        ))
    );
    EXPECT_EQ(logged(node, "-secret"), 0U);
}

TEST_F(BgpListenersTest, CallersWhoDoNotSayWhoTheyAreAreBounded) {
    BgpNode& node = add_node();
    add_router();
    node.driver->set_peers({passive("one"), passive("two", 64514)});
    std::vector<asio::ip::tcp::socket> callers;
    const asio::ip::tcp::endpoint from(asio::ip::make_address("127.0.0.9"), 0);
    const asio::ip::tcp::endpoint to(
        asio::ip::make_address("127.0.0.1"), node.driver->listen_port()
    );
    for (int i = 0; i < 40; ++i) {
        asio::ip::tcp::socket& socket = callers.emplace_back(ioc_, from);
        socket.connect(to);
    }

    EXPECT_TRUE(run_until([&] { return node.driver->unknown_callers() == 8; }));
    EXPECT_EQ(logged(node, "too many at once do not say who they are"), 1U);
}

TEST_F(BgpListenersTest, WithoutDescriptorsItWaitsAndSaysSoOnce) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "UBSan reads memory through a pipe, for which there is no descriptor";
#endif
    BgpNode& node = add_node();
    TestRouter& router = add_router();
    node.driver->set_peers({passive("tor")});
    run_for(10ms);
    router.call("127.0.0.1", node.driver->listen_port());
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit none = before;
    none.rlim_cur = 0;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);

    EXPECT_TRUE(run_until([&] { return logged(node, "BGP cannot take calls on 0.0.0.0:") > 0; }));
    run_for(250ms);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);

    EXPECT_TRUE(run_until([&] { return node.established("tor"); }));
    EXPECT_EQ(logged(node, "BGP cannot take calls"), 1U);
}

}  // namespace
}  // namespace steelyard::io
