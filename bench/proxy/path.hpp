#pragma once

#include "speaker/io/dataplane/guest_net.hpp"
#include "speaker/proxy/planner.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

// A client and a server, each in a namespace of its own, with this node between them, and small UDP
// packets from the one to the other.
namespace steelyard::bench {

inline constexpr std::uint16_t kServerPort = 9;
inline constexpr const char* kServerAddress = "10.1.2.2";
inline constexpr const char* kVirtualAddress = "10.96.200.1";  // port 80

// A UDP Service with that address and that server.
void add_udp_service(proxy::Planner& planner);

class Path {
public:
    // `name` tells the namespaces from those of other paths.
    explicit Path(const std::string& name);
    Path(const Path&) = delete;
    Path& operator=(const Path&) = delete;
    ~Path();

    void aim(const std::string& address, std::uint16_t port) const;
    // Returns when a packet has arrived and its answer too: neighbours have to be found first, and
    // what connection tracking has seen one direction of only is new to it for ever.
    void warm_up() const;
    // Sends many, 18 bytes each, and takes in what arrives; packets a second of the best stretch.
    [[nodiscard]] double packets_per_second(std::size_t count) const;
    // Sends some and leaves them at the server.
    void send(std::size_t count) const;
    // Takes in what has arrived so far.
    [[nodiscard]] std::size_t receive() const;

private:
    std::unique_ptr<dataplane::guest::Namespace> client_;
    std::unique_ptr<dataplane::guest::Namespace> server_;
    int sender_ = -1;
    int receiver_ = -1;
};

}  // namespace steelyard::bench
