#pragma once

#include "common/rt/task_group.hpp"
#include "speaker/bgp/wire/testing.hpp"
#include "speaker/io/bgp/bgp_driver.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

// Drivers on one io_context, and a router of the test's own whose every byte the test sees. The
// loop runs until a condition holds; the deadline is there for the case that it never does.
namespace steelyard::io {

struct BgpNode {
    std::unique_ptr<BgpDriver> driver;
    std::shared_ptr<const BgpStatus> status = std::make_shared<const BgpStatus>();
    std::vector<std::vector<BfdWanted>> bfd;
    std::vector<std::string> log;
    std::size_t status_calls = 0;

    [[nodiscard]] BgpPeerStatus peer(const std::string& name) const;
    [[nodiscard]] bool established(const std::string& name) const;
    [[nodiscard]] bool logged(const std::string& part) const;
};

// Speaks just enough BGP: its OPEN and a KEEPALIVE at once, then it reads, or does not.
class TestRouter {
public:
    TestRouter(asio::io_context& ioc, const std::string& address, std::uint32_t asn);

    bool reading = true;
    bgp_wire::Open open;
    int receive_buffer = 0;

    void poll();  // takes calls and reads, without waiting
    void call(const std::string& address, std::uint16_t port);
    void hang_up();
    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    [[nodiscard]] bool has_call() const { return socket_.is_open(); }
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] std::size_t calls() const { return calls_; }
    [[nodiscard]] asio::ip::tcp::socket& socket() { return socket_; }
    // What came since the last call began, in whole messages.
    [[nodiscard]] std::vector<bgp_wire::Message> messages() const;
    [[nodiscard]] std::vector<bgp_wire::ReadUpdate> updates() const;
    [[nodiscard]] std::vector<net::Prefix> announced() const;
    [[nodiscard]] std::vector<net::Prefix> withdrawn() const;
    [[nodiscard]] std::vector<std::string> notifications() const;
    void send(std::span<const std::byte> bytes);

private:
    void greet();

    asio::ip::tcp::acceptor acceptor_;
    asio::ip::tcp::socket socket_;
    wire::Bytes bytes_;
    bool ended_ = false;
    std::size_t calls_ = 0;
};

class BgpFixture {
protected:
    ~BgpFixture();
    BgpNode& add_node(BgpDriver::Options options = test_options());
    TestRouter& add_router(const std::string& address = "127.0.0.9", std::uint32_t asn = 64513);
    bool run_until(const std::function<bool()>& condition);
    void run_for(Duration time);
    void run(awaitable<void> task);
    void stop_all();

    static BgpDriver::Options test_options();
    // eBGP of AS 64512 with 64513, IPv4.
    static bgp::PeerConfig peer(const std::string& name, const std::string& address);
    static bgp::PeerConfig peer(const TestRouter& router);
    static bgp_rib::Changes announce(const std::string& first, std::size_t count = 1);
    static net::IpAddress ip(const std::string& text);
    static net::Prefix prefix(const std::string& text);

    asio::io_context ioc_{1};
    std::vector<std::unique_ptr<BgpNode>> nodes_;
    std::vector<std::unique_ptr<TestRouter>> routers_;
};

}  // namespace steelyard::io
