#include "speaker/io/l2/driver_fixture.hpp"

#include "speaker/l2/arp.hpp"
#include "speaker/l2/ndp.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <utility>

namespace steelyard::io_l2 {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPatience = 10s;
const net::MacAddress kClient{{2, 0, 0, 0, 0, 1}};

awaitable<void> follow(netlink::LinkMonitor& links, PacketDriver& driver) {
    const auto started = co_await links.start();
    EXPECT_TRUE(started);
    driver.set_interfaces(links.snapshot());
    co_await links.run();
}

}  // namespace

void DriverFixture::SetUp() {
    NetnsFixture::SetUp();
    if (IsSkipped()) {
        return;
    }
    PacketDriverCallbacks callbacks;
    callbacks.on_error = [this](const Error& error) {
        errors_.push_back(to_string(error));
    };
    callbacks.on_conflict = [this](const l2::Conflict& conflict) {
        conflicts_.push_back(conflict);
    };
    callbacks.on_yielded = [this] {
        ++yielded_;
        if (throws_when_yielded_) {
            throw std::runtime_error("by the test");
        }
    };
    callbacks.on_failed = [this](const Error& error) {
        failures_.push_back(to_string(error));
    };
    driver_ = std::make_unique<PacketDriver>(
        ioc_.get_executor(), PacketDriverOptions{}, rng_, std::move(callbacks)
    );
    tasks_.emplace(
        ioc_.get_executor(),
        [](const std::string& name, const std::exception_ptr& error) {
            EXPECT_FALSE(error) << name << ": " << rt::describe(error);
        }
    );
    driver_->set_interfaces({node_interface()});
}

void DriverFixture::TearDown() {
    if (!driver_) {
        return;
    }
    tasks_->cancel();
    tasks_->spawn("stop", driver_->stop());
    ioc_.restart();
    ioc_.run();
    EXPECT_TRUE(errors_.empty()) << errors_.front();
    EXPECT_TRUE(failures_.empty()) << failures_.front();
}

void DriverFixture::announce(const std::vector<std::string>& addresses, l2::Role role, bool echo) {
    l2::Announcements announcements;
    for (const std::string& address : addresses) {
        announcements[net::IpAddress::parse(address).value()] = {{}, role, echo};
    }
    driver_->set_announcements(std::make_shared<const l2::Announcements>(announcements));
}

void DriverFixture::follow_links() {
    const auto changed = [this](const std::vector<net::Interface>& interfaces) {
        driver_->set_interfaces(interfaces);
    };
    links_.emplace(ioc_.get_executor(), std::set<std::string>{}, changed);
    tasks_->spawn("links", follow(*links_, *driver_));
    ioc_.restart();
    ioc_.run_for(50ms);
}

bool DriverFixture::run_until(const std::function<bool()>& done) {
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

void DriverFixture::run_for(Duration time) {
    ioc_.restart();
    ioc_.run_for(time);
}

l2::AddressCounters DriverFixture::counters(const std::string& address) {
    const auto all = driver_->counters();
    const auto found = all.find(net::IpAddress::parse(address).value());
    return found == all.end() ? l2::AddressCounters{} : found->second;
}

bool DriverFixture::client_learned(const std::string& address, const std::string& mac) {
    return run_until([&] { return neighbour(address).find(mac) != std::string::npos; });
}

std::string DriverFixture::client_runs(const std::string& command) {
    FILE* pipe = nullptr;
    with_client([&] { pipe = ::popen(("( " + command + " ) 2>&1").c_str(), "r"); });
    const int descriptor = ::fileno(pipe);
    ::fcntl(descriptor, F_SETFL, O_NONBLOCK);
    std::string out;
    const bool ended = run_until([&] {
        std::array<char, 512> chunk{};
        const ssize_t size = ::read(descriptor, chunk.data(), chunk.size());
        if (size > 0) {
            out.append(chunk.data(), static_cast<std::size_t>(size));
        }
        return size == 0;
    });
    EXPECT_TRUE(ended) << command;
    ::pclose(pipe);
    return out;
}

void DriverFixture::client_sends(const std::vector<l2::Frame>& frames) {
    const unsigned index = client_index();
    with_client([&] {
        auto socket = PacketSocket::open(
            ioc_.get_executor(),
            index,
            l2::kEtherTypeArp,
            l2::make_filters(l2::Channel::Arp, {}, l2::kSmallestBudget).front(),
            PacketSocket::Reception::Normal
        );
        ASSERT_TRUE(socket) << to_string(socket.error());
        for (const l2::Frame& frame : frames) {
            EXPECT_TRUE(socket->send(frame.view()));
        }
    });
}

l2::Frame DriverFixture::claim_of(const std::string& address) {
    const net::IpAddress ip = net::IpAddress::parse(address).value();
    if (ip.is_v4()) {
        return l2::encode_arp(l2::gratuitous_arp(l2::ArpOperation::Request, kClient, ip));
    }
    return l2::encode_ndp(l2::unsolicited_advertisement(kClient, ip, l2::all_nodes()));
}

l2::Frame DriverFixture::request_for(const std::string& address) {
    const net::IpAddress ip = net::IpAddress::parse(address).value();
    if (ip.is_v4()) {
        l2::ArpPacket packet = l2::arp_probe(kClient, ip);
        packet.sender_ip = net::IpAddress::parse("10.9.0.2").value();
        return l2::encode_arp(packet);
    }
    l2::NdpPacket packet;
    packet.destination = l2::solicited_node_group(ip);
    packet.frame_destination = l2::multicast_mac(packet.destination);
    packet.frame_source = kClient;
    packet.source = net::IpAddress::parse("fd09::2").value();
    packet.target = ip;
    packet.link_layer = kClient;
    return l2::encode_ndp(packet);
}

}  // namespace steelyard::io_l2
