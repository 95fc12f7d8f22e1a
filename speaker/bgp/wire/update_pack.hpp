#pragma once

#include "common/net/ip.hpp"
#include "common/net/prefix.hpp"
#include "common/wire/writer.hpp"
#include "speaker/bgp/wire/attributes.hpp"

#include <cstddef>

// UPDATE messages filled to the brim: prefixes of one family that share their attributes, or that
// are withdrawn. A packer holds one message in a buffer it allocates once; nothing is allocated for
// a prefix. MP_REACH_NLRI and MP_UNREACH_NLRI come first in a message (RFC 7606 5.1), and a message
// either announces or withdraws.
//
//     UpdatePacker packer(family, attributes, Nlri::Classic, kMaxMessage);
//     for (const net::Prefix& prefix : prefixes) {
//         if (!packer.add(prefix)) {
//             packer.finish(out);
//             (void)packer.add(prefix);
//         }
//     }
//     if (!packer.empty()) {
//         packer.finish(out);
//     }
namespace steelyard::bgp_wire {

enum class Nlri : std::uint8_t {
    Classic,        // IPv4 only: the fields of RFC 4271
    Multiprotocol,  // RFC 4760: IPv6, and IPv4 with an IPv6 next hop
};

class UpdatePacker {
public:
    UpdatePacker(
        net::Family family, const PathAttributes& attributes, Nlri nlri, std::size_t max_message
    );

    // False when the attributes leave no room for a single prefix: then add never succeeds.
    [[nodiscard]] bool usable() const;
    // False when the message is full: it is unchanged, finish it and add again.
    [[nodiscard]] bool add(const net::Prefix& prefix);
    [[nodiscard]] bool empty() const { return buffer_.size() == fixed_; }
    // Appends the message; the packer then holds an empty one with the same attributes.
    void finish(wire::Writer& out);

private:
    net::Family family_;
    Nlri nlri_;
    std::size_t limit_ = 0;  // buffer_ may not grow beyond
    std::size_t fixed_ = 0;  // octets of buffer_ before the first prefix
    wire::Bytes buffer_;     // the message as far as it is known
    wire::Bytes tail_;       // attributes that follow MP_REACH_NLRI
};

class WithdrawalPacker {
public:
    WithdrawalPacker(net::Family family, Nlri nlri, std::size_t max_message);

    [[nodiscard]] bool add(const net::Prefix& prefix);
    [[nodiscard]] bool empty() const { return buffer_.size() == fixed_; }
    void finish(wire::Writer& out);

private:
    net::Family family_;
    Nlri nlri_;
    std::size_t limit_ = 0;
    std::size_t fixed_ = 0;
    wire::Bytes buffer_;
};

// The end of the initial table of a family (RFC 4724 2).
void encode_end_of_rib(wire::Writer& out, net::Family family);

}  // namespace steelyard::bgp_wire
