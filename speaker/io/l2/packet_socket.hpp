#pragma once

#include "common/base/error.hpp"
#include "common/net/mac.hpp"
#include "common/rt/asio.hpp"
#include "speaker/l2/bpf.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <span>

// One AF_PACKET socket: one EtherType on one interface. Bound to the EtherType rather than to all
// of them, so that the traffic we balance never reaches a filter, and frames of VLANs on top of the
// interface stay with the VLAN device. Non-blocking; needs CAP_NET_RAW.
namespace steelyard::io_l2 {

class PacketSocket {
public:
    enum class Reception { Normal, AllMulticast, Promiscuous };

    // The filter is attached before the socket is bound: nothing foreign slips through.
    static Result<PacketSocket> open(
        const asio::any_io_executor& executor,
        unsigned interface_index,
        std::uint16_t ether_type,
        const l2::BpfProgram& filter,
        Reception reception
    );

    // Replaces the filter; the kernel swaps it atomically.
    Result<> set_filter(const l2::BpfProgram& filter);
    // Takes in frames to a multicast Ethernet address; no effect when it already does.
    Result<> join(const net::MacAddress& group);

    // Resumes when a frame or an error waits. False when the socket was closed.
    awaitable<bool> readable();
    // The next frame, or nothing when none waits. Frames longer than any of ours are skipped.
    // The view lives until the next call.
    std::optional<std::span<const std::byte>> receive();
    Result<> send(std::span<const std::byte> frame);
    // Whether its interface was taken away. The kernel then never receives for it again, even if
    // one of the same index appears.
    [[nodiscard]] bool is_dead();
    void close();

private:
    explicit PacketSocket(asio::posix::stream_descriptor descriptor);

    asio::posix::stream_descriptor descriptor_;
    unsigned interface_index_ = 0;
    bool failed_ = false;  // since is_dead() was asked last
    std::array<std::byte, 2048> buffer_;
};

}  // namespace steelyard::io_l2
