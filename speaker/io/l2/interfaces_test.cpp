#include "speaker/io/l2/driver_fixture.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <string>
#include <utility>

// Interfaces that appear, vanish and change under the driver, as a real link monitor tells it, and
// as nobody tells it.
namespace steelyard::io_l2 {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class InterfacesTest : public DriverFixture {
protected:
    bool answers(const std::string& address, const std::string& mac = "02:00:00:00:00:aa") {
        in_client("ip neigh flush all");
        resolve(address);
        return client_learned(address, mac);
    }
    std::uint64_t announced() { return counters("10.9.0.100").gratuitous_sent; }
};

TEST_F(InterfacesTest, AnInterfaceThatVanishesAndAppearsAgainServes) {
    follow_links();
    announce({"10.9.0.100", "fd09::100"});
    ASSERT_TRUE(answers("10.9.0.100"));

    cut_cable();
    run_for(50ms);
    ASSERT_EQ(lay_cable(), "");

    EXPECT_TRUE(answers("10.9.0.100"));
    EXPECT_TRUE(answers("fd09::100"));
}

TEST_F(InterfacesTest, ANewMacIsAnnouncedAndAnswered) {
    follow_links();
    announce({"10.9.0.100"});
    run_for(50ms);
    const auto before = announced();

    in_node("ip link set eth0 address 02:00:00:00:00:bb");

    EXPECT_TRUE(run_until([&] { return announced() >= before + 2; }));
    EXPECT_TRUE(answers("10.9.0.100", "02:00:00:00:00:bb"));
    cut_cable();
}

TEST_F(InterfacesTest, ALinkThatComesBackAnnouncesAgain) {
    follow_links();
    announce({"10.9.0.100"});
    run_for(50ms);

    in_client("ip link set eth0 down");
    run_for(100ms);
    const auto before = announced();
    in_client("ip link set eth0 up");

    EXPECT_TRUE(run_until([&] { return announced() >= before + 2; }));
    EXPECT_TRUE(answers("10.9.0.100"));
}

TEST_F(InterfacesTest, AnEnslavedInterfaceFallsSilentAndItsBridgeServes) {
    if (in_node("ip link add br0 type bridge") != "") {
        GTEST_SKIP() << "the kernel has no bridges";
    }
    follow_links();
    announce({"10.9.0.100"});
    ASSERT_TRUE(answers("10.9.0.100"));

    in_node("ip link set br0 address 02:00:00:00:00:cc up; ip link set eth0 master br0");
    run_for(100ms);
    EXPECT_TRUE(answers("10.9.0.100", "02:00:00:00:00:cc"));

    in_node("ip link del br0");
    run_for(100ms);
    EXPECT_TRUE(answers("10.9.0.100"));
}

TEST_F(InterfacesTest, ARenamedInterfaceFollowsItsNewName) {
    follow_links();
    l2::Announcements only;
    only[net::IpAddress::parse("10.9.0.100").value()] = {{"lan0"}};
    driver_->set_announcements(std::make_shared<const l2::Announcements>(only));
    resolve("10.9.0.100");
    run_for(100ms);
    ASSERT_THAT(neighbour("10.9.0.100"), Not(HasSubstr("lladdr")));

    in_node("ip link set eth0 down; ip link set eth0 name lan0; ip link set lan0 up");
    run_for(100ms);

    EXPECT_TRUE(answers("10.9.0.100"));
    cut_cable();
}

TEST_F(InterfacesTest, ASocketWhoseInterfaceWasReplacedRecoversByItself) {
    announce({"10.9.0.100", "fd09::100"});
    run_for(50ms);
    const auto before = announced();
    const std::string index = std::to_string(node_interface().index);

    // Nobody tells the driver, and for a while there is no interface at all.
    cut_cable();
    run_for(300ms);
    EXPECT_THAT(std::exchange(errors_, {}), testing::ElementsAre(HasSubstr("No such device")));
    ASSERT_EQ(lay_cable(index), "");

    EXPECT_TRUE(run_until([&] { return announced() >= before + 2; }));
    EXPECT_TRUE(answers("10.9.0.100"));
    EXPECT_TRUE(answers("fd09::100"));
}

TEST_F(InterfacesTest, AnnouncesAgainWhatALinkThatWasDownDidNotCarry) {
    in_node("ip link set eth0 down");
    announce({"10.9.0.100"});
    run_for(300ms);
    EXPECT_THAT(std::exchange(errors_, {}), testing::ElementsAre(HasSubstr("Network is down")));
    const auto before = announced();

    in_node("ip link set eth0 up; ip addr add fd09::1/64 dev eth0 nodad");

    EXPECT_TRUE(run_until([&] { return announced() >= before + 2; }));
    EXPECT_TRUE(answers("10.9.0.100"));
}

}  // namespace
}  // namespace steelyard::io_l2
