#include "speaker/io/l2/packet_driver.hpp"

#include "speaker/io/l2/netns_fixture.hpp"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

// The driver against a real kernel's neighbour resolution on a veth.
namespace steelyard::io_l2 {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr Duration kPatience = 10s;

// Gives up the effective capability, as a pod without it would run, and takes it back.
class WithoutNetRaw {
public:
    WithoutNetRaw() { set(false); }
    ~WithoutNetRaw() { set(true); }
    WithoutNetRaw(const WithoutNetRaw&) = delete;
    WithoutNetRaw& operator=(const WithoutNetRaw&) = delete;

private:
    static void set(bool effective) {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct sets[2]{};
        ASSERT_EQ(::syscall(SYS_capget, &header, sets), 0);
        const std::uint32_t bit = 1U << CAP_NET_RAW;
        sets[0].effective = effective ? sets[0].effective | bit : sets[0].effective & ~bit;
        ASSERT_EQ(::syscall(SYS_capset, &header, sets), 0);
    }
};

class PacketDriverTest : public NetnsFixture {
protected:
    void SetUp() override {
        NetnsFixture::SetUp();
        if (IsSkipped()) {
            return;
        }
        driver_ = std::make_unique<PacketDriver>(
            ioc_.get_executor(),
            PacketDriverOptions{},
            rng_,
            PacketDriverCallbacks{
                [this](const Error& error) { errors_.push_back(to_string(error)); },
                [this](const l2::Conflict& conflict) {
                    conflicts_.push_back(conflict);
                }}
        );
        driver_->set_interfaces({node_interface()});
    }

    void TearDown() override {
        if (!driver_) {
            return;
        }
        rt::TaskGroup stopping(ioc_.get_executor(), [](const std::string&, std::exception_ptr) {});
        stopping.spawn("stop", driver_->stop());
        ioc_.restart();
        ioc_.run();
        EXPECT_THAT(errors_, IsEmpty());
    }

    void announce(std::initializer_list<const char*> addresses) {
        l2::Announcements announcements;
        for (const char* address : addresses) {
            announcements[net::IpAddress::parse(address).value()] = {};
        }
        driver_->set_announcements(std::make_shared<const l2::Announcements>(announcements));
    }

    // Runs the driver until `done`, or until patience ends.
    bool run_until(const std::function<bool()>& done) {
        const Instant deadline = std::chrono::steady_clock::now() + kPatience;
        while (!done()) {
            if (std::chrono::steady_clock::now() > deadline) {
                return false;
            }
            ioc_.restart();
            ioc_.run_one_for(20ms);
        }
        return true;
    }

    l2::AddressCounters counters(const char* address) {
        const auto all = driver_->counters();
        const auto found = all.find(net::IpAddress::parse(address).value());
        return found == all.end() ? l2::AddressCounters{} : found->second;
    }

    bool client_learned(const std::string& address) {
        return run_until([&] {
            return neighbour(address).find("02:00:00:00:00:aa") != std::string::npos;
        });
    }

    asio::io_context ioc_{1};
    Rng rng_{1};
    std::vector<std::string> errors_;
    std::vector<l2::Conflict> conflicts_;
    std::unique_ptr<PacketDriver> driver_;
};

TEST_F(PacketDriverTest, AKernelResolvesAnAnnouncedIpv4Address) {
    announce({"10.9.0.100"});

    resolve("10.9.0.100");

    EXPECT_TRUE(client_learned("10.9.0.100")) << neighbour("10.9.0.100");
    EXPECT_GE(counters("10.9.0.100").responses_sent, 1U);
}

TEST_F(PacketDriverTest, AKernelResolvesAnAnnouncedIpv6Address) {
    announce({"fd09::100"});

    resolve("fd09::100");

    EXPECT_TRUE(client_learned("fd09::100")) << neighbour("fd09::100");
    EXPECT_GE(counters("fd09::100").responses_sent, 1U);
}

TEST_F(PacketDriverTest, AnswersUnreachabilityProbes) {
    announce({"fd09::100", "10.9.0.100"});
    for (const std::string address : {"fd09::100", "10.9.0.100"}) {
        in_client("ip neigh replace " + address + " lladdr 02:00:00:00:00:aa dev eth0 nud probe");

        EXPECT_TRUE(run_until([&] {
            return neighbour(address).find("REACHABLE") != std::string::npos;
        })) << neighbour(address);
    }
}

TEST_F(PacketDriverTest, AForeignAddressNeitherIsAnsweredNorWakesUs) {
    announce({"10.9.0.100", "fd09::100"});

    resolve("10.9.0.50");
    resolve("fd09::50");
    resolve("10.9.0.100");
    ASSERT_TRUE(client_learned("10.9.0.100"));

    EXPECT_EQ(driver_->frames_received(), counters("10.9.0.100").requests_received);
    EXPECT_THAT(neighbour("10.9.0.50"), Not(HasSubstr("lladdr")));
}

TEST_F(PacketDriverTest, TakeoverCorrectsAStaleNeighbourEntry) {
    for (const std::string address : {"10.9.0.100", "fd09::100"}) {
        in_client(
            "ip neigh replace " + address + " lladdr 02:00:00:00:00:99 dev eth0 nud reachable"
        );
    }

    announce({"10.9.0.100", "fd09::100"});

    EXPECT_TRUE(client_learned("10.9.0.100")) << neighbour("10.9.0.100");
    EXPECT_TRUE(client_learned("fd09::100")) << neighbour("fd09::100");
    EXPECT_GE(counters("10.9.0.100").gratuitous_sent, 2U);
}

TEST_F(PacketDriverTest, AReleasedAddressIsNotAnswered) {
    announce({"10.9.0.100", "10.9.0.101"});
    announce({"10.9.0.101"});

    resolve("10.9.0.100");
    resolve("10.9.0.101");
    ASSERT_TRUE(client_learned("10.9.0.101"));

    EXPECT_THAT(neighbour("10.9.0.100"), Not(HasSubstr("lladdr")));
}

TEST_F(PacketDriverTest, AnInterfaceThatComesBackServesAgain) {
    announce({"10.9.0.100", "fd09::100"});
    driver_->set_interfaces({});
    driver_->set_interfaces({node_interface()});

    resolve("10.9.0.100");
    resolve("fd09::100");

    EXPECT_TRUE(client_learned("10.9.0.100"));
    EXPECT_TRUE(client_learned("fd09::100"));
}

TEST_F(PacketDriverTest, AForeignClaimIsReported) {
    announce({"10.9.0.100"});

    const net::MacAddress claimant = net::MacAddress::parse("02:00:00:00:00:01").value();
    with_client([&] {
        auto socket = PacketSocket::open(
            ioc_.get_executor(),
            node_interface().index,
            l2::kEtherTypeArp,
            l2::arp_filter({}),
            PacketSocket::Reception::Normal
        );
        const auto claim = l2::gratuitous_arp(
            l2::ArpOperation::Request, claimant, net::IpAddress::parse("10.9.0.100").value()
        );
        EXPECT_TRUE(socket.value().send(l2::encode_arp(claim).view()));
    });
    const bool reported = run_until([&] { return !conflicts_.empty(); });

    ASSERT_TRUE(reported);
    EXPECT_EQ(conflicts_[0].claimant, claimant);
    EXPECT_EQ(to_string(conflicts_[0].address), "10.9.0.100");
}

TEST_F(PacketDriverTest, WithoutCapNetRawItSaysSoOnce) {
    driver_->set_interfaces({});
    net::Interface second = node_interface();
    second.index += 1;
    {
        const WithoutNetRaw scope;
        driver_->set_interfaces({node_interface(), second});
        driver_->set_interfaces({node_interface(), second});
    }

    EXPECT_THAT(
        std::exchange(errors_, {}), testing::ElementsAre(HasSubstr("the process lacks CAP_NET_RAW"))
    );

    announce({"10.9.0.100"});
    driver_->set_interfaces({node_interface()});
    resolve("10.9.0.100");
    EXPECT_TRUE(client_learned("10.9.0.100"));
}

TEST_F(PacketDriverTest, JoinsTheSolicitedNodeGroupWithTheKernel) {
    announce({"fd09::12:3456"});
    EXPECT_THAT(in_node("ip -6 maddr show dev eth0"), HasSubstr("ff02::1:ff12:3456"));

    announce({});
    EXPECT_THAT(in_node("ip -6 maddr show dev eth0"), Not(HasSubstr("ff02::1:ff12:3456")));
}

}  // namespace
}  // namespace steelyard::io_l2
