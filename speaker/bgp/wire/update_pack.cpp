#include "speaker/bgp/wire/update_pack.hpp"

#include "common/base/check.hpp"
#include "speaker/bgp/wire/message.hpp"

#include <algorithm>

namespace steelyard::bgp_wire {
namespace {

constexpr std::size_t kWithdrawnLengthAt = kHeaderSize;
constexpr std::size_t kAttributeLengthAt = kHeaderSize + 2;  // where nothing is withdrawn
constexpr std::size_t kAttributesAt = kAttributeLengthAt + 2;
constexpr std::size_t kMpLengthAt = kAttributesAt + 2;  // after flags and type
constexpr std::size_t kMpValueAt = kMpLengthAt + 2;
constexpr std::size_t kLengthAt = 16;

void put_u16(wire::Bytes& bytes, std::size_t at, std::size_t value) {
    bytes.at(at) = static_cast<std::byte>(value >> 8U);
    bytes.at(at + 1) = static_cast<std::byte>(value);
}

bool append_prefix(wire::Bytes& buffer, std::size_t limit, const net::Prefix& prefix) {
    const std::size_t octets = (prefix.length() + 7) / 8;
    if (buffer.size() + 1 + octets > limit) {
        return false;
    }
    buffer.push_back(static_cast<std::byte>(prefix.length()));
    const auto address = std::as_bytes(prefix.address().bytes().first(octets));
    buffer.insert(buffer.end(), address.begin(), address.end());
    return true;
}

void mapped_or_plain(wire::Writer& out, const net::IpAddress& address) {
    if (address.is_v4()) {
        out.u64(0);
        out.u32(0xffff);
    }
    out.bytes(address.bytes());
}

// RFC 4760 3, RFC 2545 3, RFC 8950 3. An IPv6 route over an IPv4 next hop takes the mapped form.
void encode_mp_next_hop(wire::Writer& out, net::Family family, const PathAttributes& attributes) {
    const net::IpAddress& next_hop = attributes.next_hop;
    if (family == net::Family::V4 && next_hop.is_v4()) {
        out.u8(4);
        out.bytes(next_hop.bytes());
        return;
    }
    const auto& link_local = attributes.next_hop_link_local;
    out.u8(link_local ? 32 : 16);
    mapped_or_plain(out, next_hop);
    if (link_local) {
        mapped_or_plain(out, *link_local);
    }
}

// Flags, type and room for the extended length: how long it gets is known only in the end.
void begin_mp(wire::Writer& out, AttributeType type, net::Family family) {
    out.u8(kFlagOptional | kFlagExtendedLength);
    out.u8(static_cast<std::uint8_t>(type));
    out.u16(0);
    out.u16(afi(family));
    out.u8(kSafiUnicast);
}

void check(net::Family family, Nlri nlri) {
    SY_CHECK(
        nlri == Nlri::Multiprotocol || family == net::Family::V4,
        "the classic NLRI fields carry IPv4 only"
    );
}

// What the lists alone take. Beyond a message there is nothing to encode, and their attributes
// might not even fit their length field.
std::size_t octets_of_lists(const PathAttributes& attributes) {
    const std::size_t hops = attributes.as_path.size();
    return hops * 4 + hops / 255 * 2 + attributes.communities.size() * 4 +
           attributes.extended.size() * 8 + attributes.large.size() * 12;
}

}  // namespace

UpdatePacker::UpdatePacker(
    net::Family family, const PathAttributes& attributes, Nlri nlri, std::size_t max_message
)
    : family_(family), nlri_(nlri) {
    check(family, nlri);
    if (octets_of_lists(attributes) > max_message) {
        return;
    }
    wire::Writer out;
    begin_message(out, MessageType::Update);
    out.u16(0);  // withdrawn routes
    out.u16(0);  // attributes
    if (nlri == Nlri::Classic) {
        encode_attributes(out, attributes, NextHopIn::Attribute);
    } else {
        begin_mp(out, AttributeType::MpReach, family);
        encode_mp_next_hop(out, family, attributes);
        out.u8(0);  // reserved
        wire::Writer tail;
        encode_attributes(tail, attributes, NextHopIn::MpReach);
        tail_ = tail.take();
    }
    buffer_ = out.take();
    fixed_ = buffer_.size();
    limit_ = max_message - std::min(max_message, tail_.size());
    if (nlri == Nlri::Classic && fixed_ <= max_message) {
        put_u16(buffer_, kAttributeLengthAt, fixed_ - kAttributesAt);
    }
    buffer_.reserve(std::max(limit_, fixed_) + tail_.size());
}

bool UpdatePacker::usable() const {
    const std::size_t longest = family_ == net::Family::V4 ? 5 : 17;
    return fixed_ + longest <= limit_;
}

bool UpdatePacker::add(const net::Prefix& prefix) {
    SY_CHECK(prefix.address().family() == family_, "prefix of another family");
    return append_prefix(buffer_, limit_, prefix);
}

void UpdatePacker::finish(wire::Writer& out) {
    if (nlri_ == Nlri::Multiprotocol) {
        put_u16(buffer_, kMpLengthAt, buffer_.size() - kMpValueAt);
        buffer_.insert(buffer_.end(), tail_.begin(), tail_.end());
        put_u16(buffer_, kAttributeLengthAt, buffer_.size() - kAttributesAt);
    }
    put_u16(buffer_, kLengthAt, buffer_.size());
    out.bytes(std::span<const std::byte>(buffer_));
    buffer_.resize(fixed_);
}

WithdrawalPacker::WithdrawalPacker(net::Family family, Nlri nlri, std::size_t max_message)
    : family_(family), nlri_(nlri) {
    check(family, nlri);
    wire::Writer out;
    begin_message(out, MessageType::Update);
    out.u16(0);  // withdrawn routes
    if (nlri == Nlri::Multiprotocol) {
        out.u16(0);  // attributes
        begin_mp(out, AttributeType::MpUnreach, family);
    }
    buffer_ = out.take();
    fixed_ = buffer_.size();
    // The classic form ends with an empty attribute length.
    limit_ = nlri == Nlri::Classic ? max_message - 2 : max_message;
    buffer_.reserve(max_message);
}

bool WithdrawalPacker::add(const net::Prefix& prefix) {
    SY_CHECK(prefix.address().family() == family_, "prefix of another family");
    return append_prefix(buffer_, limit_, prefix);
}

void WithdrawalPacker::finish(wire::Writer& out) {
    if (nlri_ == Nlri::Multiprotocol) {
        put_u16(buffer_, kMpLengthAt, buffer_.size() - kMpValueAt);
        put_u16(buffer_, kAttributeLengthAt, buffer_.size() - kAttributesAt);
    } else {
        put_u16(buffer_, kWithdrawnLengthAt, buffer_.size() - fixed_);
        buffer_.insert(buffer_.end(), 2, std::byte{0});
    }
    put_u16(buffer_, kLengthAt, buffer_.size());
    out.bytes(std::span<const std::byte>(buffer_));
    buffer_.resize(fixed_);
}

void encode_end_of_rib(wire::Writer& out, net::Family family) {
    if (family == net::Family::V4) {
        const std::size_t start = begin_message(out, MessageType::Update);
        out.u16(0);
        out.u16(0);
        end_message(out, start);
        return;
    }
    WithdrawalPacker(family, Nlri::Multiprotocol, kMaxMessage).finish(out);
}

}  // namespace steelyard::bgp_wire
