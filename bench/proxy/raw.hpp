#pragma once

#include "speaker/netlink/message.hpp"
#include "speaker/proxy/diff/op.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

// The least a program can do: messages made beforehand, handed to the kernel, and answers counted
// without a look inside. What ours costs is a ratio to this.
namespace steelyard::bench {

// Of the namespace the calling thread is in.
struct KernelIds {
    std::uint16_t ipvs_family = 0;
    unsigned link_index = 0;
};
[[nodiscard]] KernelIds kernel_ids();

class RawNetlink {
public:
    explicit RawNetlink(int protocol);
    RawNetlink(const RawNetlink&) = delete;
    RawNetlink& operator=(const RawNetlink&) = delete;
    ~RawNetlink();

    // Sends one datagram and waits for the acknowledgement of its last message; how many of its
    // messages the kernel refused.
    std::size_t send(const netlink::Bytes& datagram, std::uint32_t last_sequence);
    // How many messages answer a request or dump.
    std::size_t ask(netlink::Bytes request);

private:
    int descriptor_ = -1;
    std::uint32_t sequence_ = 0;
    std::vector<std::byte> buffer_;
};

struct Datagram {
    int protocol = 0;
    netlink::Bytes bytes;
    std::uint32_t last_sequence = 0;
};
// The messages of operations, in order, at most `most` of one subsystem in a datagram.
[[nodiscard]] std::vector<Datagram> encode_all(
    const std::vector<proxy::Op>& ops, const KernelIds& ids, std::size_t most
);
struct Sent {
    double seconds = 0;
    std::size_t refused = 0;
};
[[nodiscard]] Sent send_all(const std::vector<Datagram>& datagrams);

// Dumps all that an audit reads: addresses, routes, sets, virtual servers and the real servers of
// the first `services` cluster addresses. Seconds.
[[nodiscard]] double raw_dump(const KernelIds& ids, std::uint32_t services);
// What kube-proxy asks in each sync: of each virtual server twice itself and once its real servers.
// Seconds.
[[nodiscard]] double kube_proxy_questions(const KernelIds& ids, std::uint32_t services);

}  // namespace steelyard::bench
