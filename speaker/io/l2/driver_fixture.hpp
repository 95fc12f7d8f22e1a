#pragma once

#include "common/base/rng.hpp"
#include "common/rt/asio.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/io/l2/netns_fixture.hpp"
#include "speaker/io/l2/packet_driver.hpp"
#include "speaker/io/netlink/link_monitor.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// A PacketDriver on the node's end of the veth, and an event loop for it.
namespace steelyard::io_l2 {

class DriverFixture : public NetnsFixture {
protected:
    void SetUp() override;
    void TearDown() override;

    // Every address with the same role, on every interface.
    void announce(
        const std::vector<std::string>& addresses,
        l2::Role role = l2::Role::Announce,
        bool echo = false
    );
    // From now on the driver hears of interfaces from a real link monitor.
    void follow_links();
    // Runs the driver until `done`, or until patience ends.
    bool run_until(const std::function<bool()>& done);
    void run_for(Duration time);

    l2::AddressCounters counters(const std::string& address);
    // Whether the client's neighbour table gets this MAC for the address, while the driver runs.
    bool client_learned(const std::string& address, const std::string& mac = "02:00:00:00:00:aa");
    // Runs a client's command in another process while the driver runs; what it printed.
    std::string client_runs(const std::string& command);
    // Sends frames from the client's end.
    void client_sends(const std::vector<l2::Frame>& frames);

    static l2::Frame claim_of(const std::string& address);
    // An ARP request or a solicitation, by the client.
    static l2::Frame request_for(const std::string& address);

    asio::io_context ioc_{1};
    Rng rng_{1};
    std::vector<std::string> errors_;
    std::vector<std::string> failures_;
    std::vector<l2::Conflict> conflicts_;
    int yielded_ = 0;
    bool throws_when_yielded_ = false;
    std::unique_ptr<PacketDriver> driver_;

private:
    std::optional<rt::TaskGroup> tasks_;
    std::optional<netlink::LinkMonitor> links_;
};

}  // namespace steelyard::io_l2
