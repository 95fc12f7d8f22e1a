#include "speaker/netlink/message.hpp"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace steelyard::netlink {
namespace {

constexpr std::size_t kAlign = 4;       // NLMSG_ALIGNTO, NLA_ALIGNTO
constexpr unsigned kTypeMask = 0x3fff;  // NLA_TYPE_MASK

constexpr std::size_t aligned(std::size_t size) {
    return (size + kAlign - 1) & ~(kAlign - 1);
}

template <class Number>
std::optional<Number> number(const std::optional<ByteView>& value) {
    if (!value || value->size() < sizeof(Number)) {
        return std::nullopt;
    }
    Number result;
    std::memcpy(&result, value->data(), sizeof result);
    return result;
}

// The same swap serves both directions.
std::uint16_t swap_to_network(std::uint16_t value) {
    return htons(value);
}
std::uint32_t swap_to_network(std::uint32_t value) {
    return htonl(value);
}

}  // namespace

MessageWriter::MessageWriter(std::uint16_t type, std::uint16_t flags) {
    constexpr std::size_t kUsual = 256;
    bytes_.reserve(kUsual);
    nlmsghdr message{};
    message.nlmsg_type = type;
    message.nlmsg_flags = flags;
    header(message);
}

void MessageWriter::append(const void* data, std::size_t size) {
    const auto* const first = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), first, first + size);
    bytes_.resize(aligned(bytes_.size()));
}

void MessageWriter::attribute(unsigned type, ByteView value) {
    nlattr attr{};
    attr.nla_type = static_cast<std::uint16_t>(type);
    attr.nla_len = static_cast<std::uint16_t>(sizeof attr + value.size());
    header(attr);
    append(value.data(), value.size());
}

void MessageWriter::u8(unsigned type, std::uint8_t value) {
    attribute(type, std::as_bytes(std::span(&value, 1)));
}

void MessageWriter::u16(unsigned type, std::uint16_t value) {
    attribute(type, std::as_bytes(std::span(&value, 1)));
}

void MessageWriter::u32(unsigned type, std::uint32_t value) {
    attribute(type, std::as_bytes(std::span(&value, 1)));
}

void MessageWriter::be16(unsigned type, std::uint16_t host_order) {
    u16(type, swap_to_network(host_order));
}

void MessageWriter::be64(unsigned type, std::uint64_t host_order) {
    const std::uint64_t value = htobe64(host_order);
    attribute(type, std::as_bytes(std::span(&value, 1)));
}

void MessageWriter::be32(unsigned type, std::uint32_t host_order) {
    u32(type, swap_to_network(host_order));
}

void MessageWriter::text(unsigned type, std::string_view value) {
    Bytes terminated(value.size() + 1);
    std::memcpy(terminated.data(), value.data(), value.size());
    attribute(type, terminated);
}

std::size_t MessageWriter::open(unsigned type) {
    const std::size_t at = bytes_.size();
    nlattr attr{};
    attr.nla_type = static_cast<std::uint16_t>(type | NLA_F_NESTED);
    header(attr);
    return at;
}

void MessageWriter::close(std::size_t opened) {
    const auto length = static_cast<std::uint16_t>(bytes_.size() - opened);
    std::memcpy(&bytes_[opened], &length, sizeof length);  // nla_len comes first
}

Bytes MessageWriter::take() {
    const auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &length, sizeof length);  // nlmsg_len comes first
    return std::move(bytes_);
}

void address(Bytes& message, std::uint32_t sequence, std::uint16_t more_flags) {
    nlmsghdr header{};
    std::memcpy(&header, message.data(), sizeof header);
    header.nlmsg_seq = sequence;
    header.nlmsg_flags = static_cast<std::uint16_t>(header.nlmsg_flags | more_flags);
    std::memcpy(message.data(), &header, sizeof header);
}

std::optional<Message> next_message(ByteView& datagram) {
    const auto header = read_header<nlmsghdr>(datagram);
    if (!header || header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > datagram.size()) {
        return std::nullopt;
    }
    Message message;
    message.type = header->nlmsg_type;
    message.flags = header->nlmsg_flags;
    message.sequence = header->nlmsg_seq;
    message.payload = datagram.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr));
    datagram = datagram.subspan(std::min(aligned(header->nlmsg_len), datagram.size()));
    return message;
}

std::vector<Message> split(ByteView datagram) {
    std::vector<Message> messages;
    while (const auto message = next_message(datagram)) {
        messages.push_back(*message);
    }
    return messages;
}

std::optional<int> decode_ack(const Message& message) {
    const auto error = read_header<int>(message.payload);
    if (message.type != NLMSG_ERROR || !error) {
        return std::nullopt;
    }
    // INT_MIN has no positive twin; it is no errno either.
    return *error == std::numeric_limits<int>::min() ? EPROTO : -*error;
}

Attributes::Attributes(ByteView payload, std::size_t header_size)
    : rest_(payload.subspan(std::min(aligned(header_size), payload.size()))) {}

std::optional<Attributes::Attribute> Attributes::next() {
    const auto header = read_header<nlattr>(rest_);
    if (!header || header->nla_len < sizeof(nlattr) || header->nla_len > rest_.size()) {
        return std::nullopt;
    }
    Attribute attribute;
    attribute.type = header->nla_type & kTypeMask;
    attribute.value = rest_.subspan(sizeof(nlattr), header->nla_len - sizeof(nlattr));
    rest_ = rest_.subspan(std::min(aligned(header->nla_len), rest_.size()));
    return attribute;
}

std::optional<ByteView> Attributes::find(unsigned type) const {
    Attributes left = *this;
    while (const auto attribute = left.next()) {
        if (attribute->type == type) {
            return attribute->value;
        }
    }
    return std::nullopt;
}

Attributes Attributes::nested(unsigned type) const {
    return Attributes(find(type).value_or(ByteView{}));
}

std::optional<std::uint8_t> Attributes::u8(unsigned type) const {
    return number<std::uint8_t>(find(type));
}

std::optional<std::uint16_t> Attributes::u16(unsigned type) const {
    return number<std::uint16_t>(find(type));
}

std::optional<std::uint32_t> Attributes::u32(unsigned type) const {
    return number<std::uint32_t>(find(type));
}

std::optional<std::uint16_t> Attributes::be16(unsigned type) const {
    const auto value = u16(type);
    return value ? std::optional(swap_to_network(*value)) : std::nullopt;
}

std::optional<std::uint32_t> Attributes::be32(unsigned type) const {
    const auto value = u32(type);
    return value ? std::optional(swap_to_network(*value)) : std::nullopt;
}

std::optional<std::uint64_t> Attributes::be64(unsigned type) const {
    const auto value = number<std::uint64_t>(find(type));
    return value ? std::optional<std::uint64_t>(be64toh(*value)) : std::nullopt;
}

std::string_view Attributes::text(unsigned type) const {
    const ByteView value = find(type).value_or(ByteView{});
    const auto end = std::find(value.begin(), value.end(), std::byte{0});
    return {
        reinterpret_cast<const char*>(value.data()), static_cast<std::size_t>(end - value.begin())};
}

}  // namespace steelyard::netlink
