#pragma once

#include "common/wire/writer.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

// Netlink messages and attributes (RFC 3549 section 2.3; host byte order, 4-byte alignment), built
// and taken apart with every length checked. Pure: bytes in, values out.
namespace steelyard::netlink {

using wire::Bytes;
using ByteView = std::span<const std::byte>;

class MessageWriter {
public:
    MessageWriter(std::uint16_t type, std::uint16_t flags);

    // The family's own header, such as genlmsghdr or ifinfomsg; a plain kernel struct.
    template <class Header>
    void header(const Header& header) {
        static_assert(std::is_trivially_copyable_v<Header>);
        append(&header, sizeof header);
    }
    void attribute(unsigned type, ByteView value);
    void u8(unsigned type, std::uint8_t value);
    void u16(unsigned type, std::uint16_t value);
    void u32(unsigned type, std::uint32_t value);
    void be16(unsigned type, std::uint16_t host_order);
    void be32(unsigned type, std::uint32_t host_order);
    void be64(unsigned type, std::uint64_t host_order);
    void text(unsigned type, std::string_view value);  // with its terminating zero
    [[nodiscard]] std::size_t open(unsigned type);     // a nested attribute, until close()
    void close(std::size_t opened);

    [[nodiscard]] Bytes take();

private:
    void append(const void* data, std::size_t size);
    Bytes bytes_;
};

// Sets sequence number and adds flags in a finished message.
void address(Bytes& message, std::uint32_t sequence, std::uint16_t more_flags);

struct Message {
    std::uint16_t type = 0;
    std::uint16_t flags = 0;
    std::uint32_t sequence = 0;
    ByteView payload;  // views the datagram
};

// Takes the first message off a datagram; nullopt at its end or at an impossible length.
[[nodiscard]] std::optional<Message> next_message(ByteView& datagram);
// All of them.
[[nodiscard]] std::vector<Message> split(ByteView datagram);

// Of a NLMSG_ERROR payload: the errno, 0 for an acknowledgement. Kernel errors are negative there.
[[nodiscard]] std::optional<int> decode_ack(const Message& message);

// The attributes after a fixed header of `header_size` bytes, up to the first impossible length;
// the type's flag bits are dropped, and of two attributes of one type the first counts. A view:
// looking one up is a scan, which for the dozen attributes of a message beats an index.
class Attributes {
public:
    explicit Attributes(ByteView payload, std::size_t header_size = 0);

    [[nodiscard]] std::optional<ByteView> find(unsigned type) const;
    [[nodiscard]] Attributes nested(unsigned type) const;  // empty when absent
    [[nodiscard]] std::optional<std::uint8_t> u8(unsigned type) const;
    [[nodiscard]] std::optional<std::uint16_t> u16(unsigned type) const;
    [[nodiscard]] std::optional<std::uint32_t> u32(unsigned type) const;
    [[nodiscard]] std::optional<std::uint64_t> be64(unsigned type) const;
    [[nodiscard]] std::optional<std::uint16_t> be16(unsigned type) const;
    [[nodiscard]] std::optional<std::uint32_t> be32(unsigned type) const;
    [[nodiscard]] std::string_view text(unsigned type) const;  // without the zero; "" when absent

    struct Attribute {
        unsigned type = 0;
        ByteView value;
    };
    // Takes the first attribute off; nullopt when none is left.
    [[nodiscard]] std::optional<Attribute> next();

private:
    ByteView rest_;
};

// A kernel struct at the start of a payload; nullopt when it is too short.
template <class Header>
std::optional<Header> read_header(ByteView payload) {
    static_assert(std::is_trivially_copyable_v<Header>);
    if (payload.size() < sizeof(Header)) {
        return std::nullopt;
    }
    Header header;
    std::memcpy(&header, payload.data(), sizeof header);
    return header;
}

}  // namespace steelyard::netlink
