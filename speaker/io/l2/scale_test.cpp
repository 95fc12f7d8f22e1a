#include "speaker/io/l2/driver_fixture.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <set>
#include <vector>

// Ten thousand addresses in no order at all, and as many foreign ones asked for.
namespace steelyard::io_l2 {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kAddresses = 10'000;

class ScaleTest : public DriverFixture {
protected:
    std::vector<net::IpAddress> scattered(net::Family family) {
        std::set<net::IpAddress> found;
        while (found.size() < kAddresses) {
            if (family == net::Family::V4) {
                found.insert(net::IpAddress::v4(
                    static_cast<std::uint32_t>(0x0b000000U + numbers_.below(0xa0000000U))
                ));
                continue;
            }
            std::array<std::uint8_t, 16> bytes{0x20, 0x01};
            for (std::size_t i = 2; i < bytes.size(); ++i) {
                bytes[i] = static_cast<std::uint8_t>(numbers_.next());
            }
            found.insert(net::IpAddress::v6(bytes));
        }
        return {found.begin(), found.end()};
    }

    void own(const std::vector<net::IpAddress>& addresses) {
        l2::Announcements announcements;
        for (const net::IpAddress& address : addresses) {
            announcements[address] = {};
        }
        driver_->set_announcements(std::make_shared<const l2::Announcements>(announcements));
    }

    std::vector<l2::Frame> requests(const std::vector<net::IpAddress>& addresses) {
        std::vector<l2::Frame> frames;
        for (const net::IpAddress& address : addresses) {
            frames.push_back(request_for(to_string(address)));
        }
        return frames;
    }

    void foreign_requests_wake_nobody(net::Family family) {
        const auto owned = scattered(family);
        own(owned);
        run_for(200ms);
        const auto before = driver_->wake_ups();

        client_sends(requests(scattered(family)));
        run_for(200ms);

        EXPECT_EQ(driver_->wake_ups(), before);
        for (std::size_t i = 0; i < owned.size(); i += 1000) {
            const auto frames = driver_->frames_received();
            client_sends(requests({owned[i]}));
            EXPECT_TRUE(run_until([&] { return driver_->frames_received() == frames + 1; }))
                << to_string(owned[i]);
        }
    }

    Rng numbers_{4};
};

TEST_F(ScaleTest, TenThousandForeignArpRequestsWakeNobodyAtTenThousandAddresses) {
    foreign_requests_wake_nobody(net::Family::V4);
}

TEST_F(ScaleTest, TenThousandForeignSolicitationsWakeNobodyAtTenThousandAddresses) {
    foreign_requests_wake_nobody(net::Family::V6);
}

// net.core.optmem_max of Linux before 6.7, as in Debian 12.
TEST_F(ScaleTest, NeitherDoTheyWithTheSmallSocketsOfOlderKernels) {
    in_node("sysctl -qw net.core.optmem_max=20480");
    foreign_requests_wake_nobody(net::Family::V4);
    own({});
    foreign_requests_wake_nobody(net::Family::V6);
    in_node("sysctl -qw net.core.optmem_max=131072");
}

TEST_F(ScaleTest, AddingAndRemovingOneOfManyAddressesKeepsTheOthersAnswered) {
    auto owned = scattered(net::Family::V4);
    own(owned);
    const net::IpAddress kept = owned.back();
    owned.erase(owned.begin());
    own(owned);
    owned.insert(owned.begin(), net::IpAddress::parse("10.9.0.100").value());
    own(owned);

    client_sends(requests({kept, owned.front(), owned[5000]}));

    EXPECT_TRUE(run_until([&] { return driver_->frames_received() == 3; }));
}

}  // namespace
}  // namespace steelyard::io_l2
