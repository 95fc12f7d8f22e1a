#pragma once

#include "common/net/ip.hpp"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

// Many connection attempts at once, from many network namespaces, and servers that say who they are
// and whom they see. For guest tests; needs root.
namespace steelyard::dataplane::guest {

// Answers every TCP connection and every datagram with "<name> <client's address>", on these
// addresses of the namespace `where` ("" is the caller's).
class EchoServer {
public:
    EchoServer(
        const std::string& where,
        std::string name,
        const std::vector<net::IpAddress>& addresses,
        std::uint16_t port
    );
    EchoServer(const EchoServer&) = delete;
    EchoServer& operator=(const EchoServer&) = delete;
    ~EchoServer();

private:
    void serve() const;

    std::string name_;
    std::vector<int> listeners_;
    std::vector<int> datagrams_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

struct Probe {
    std::string where;      // namespace of the client, "" is the caller's
    net::IpAddress source;  // unspecified: the kernel's choice
    net::Protocol protocol = net::Protocol::Tcp;
    net::Endpoint destination;
    // Afterwards: the server's answer, "refused", "dropped" (no answer in time, or not let out), or
    // what else went wrong.
    std::string result{};
};

// Sends the first packet of each in order, one after the other; gives up when nothing has been
// heard for `patience`.
void run_probes(std::vector<Probe>& probes, std::chrono::milliseconds patience);

}  // namespace steelyard::dataplane::guest
