#pragma once

#include "bench/failover/timeline.hpp"

#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <string>

// The prober's two raw sockets (Linux, needs CAP_NET_RAW). Both never block; a constructor that
// fails prints why and ends the program.
namespace steelyard::failover {

struct ArpAnswer {
    in_addr address{};
    Mac mac{};
};

// Broadcasts ARP requests on one interface and hears the answers addressed to it.
class ArpSocket {
public:
    ArpSocket(const std::string& interface, in_addr source);
    [[nodiscard]] int fd() const { return fd_; }
    void ask(in_addr address) const;
    // False when nothing more waits; `answer` is empty for a frame that is none.
    bool receive(std::optional<ArpAnswer>& answer) const;

private:
    int fd_ = -1;
    int index_ = 0;
    Mac own_{};
    in_addr source_;
};

struct EchoId {
    std::uint32_t target = 0;
    std::uint32_t number = 0;
};

// ICMP echo through the kernel, so through its own neighbour cache.
class EchoSocket {
public:
    EchoSocket();
    [[nodiscard]] int fd() const { return fd_; }
    void ask(in_addr address, EchoId id) const;
    bool receive(std::optional<EchoId>& answer) const;

private:
    int fd_ = -1;
    std::uint16_t ident_ = 0;
};

}  // namespace steelyard::failover
