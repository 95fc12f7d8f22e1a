#include "common/net/prefix.hpp"

#include "common/base/check.hpp"

#include <charconv>
#include <limits>

namespace steelyard::net {
namespace {

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

IpAddress from_bytes(Family family, const std::array<std::uint8_t, 16>& bytes) {
    if (family == Family::V6) {
        return IpAddress::v6(bytes);
    }
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        value = value << 8U | bytes.at(i);
    }
    return IpAddress::v4(value);
}

// The address with every bit from `length` on set to `fill`.
IpAddress fill_host_bits(const IpAddress& address, unsigned length, bool fill) {
    std::array<std::uint8_t, 16> bytes{};
    const auto source = address.bytes();
    for (std::size_t i = 0; i < source.size(); ++i) {
        const unsigned start = static_cast<unsigned>(i) * 8;
        unsigned host_mask = 0;
        if (length <= start) {
            host_mask = 0xff;
        } else if (length < start + 8) {
            host_mask = 0xffU >> (length - start);
        }
        bytes.at(i) = static_cast<std::uint8_t>(
            fill ? (source[i] | host_mask) : (source[i] & ~host_mask & 0xffU)
        );
    }
    return from_bytes(address.family(), bytes);
}

}  // namespace

Prefix::Prefix(const IpAddress& address, unsigned length)
    : address_(fill_host_bits(address, length, false)), length_(length) {
    SY_CHECK(length <= address.bits(), "prefix longer than the address");
}

Result<Prefix> Prefix::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto bad = [&] {
        return make_error(
            Errc::Invalid, "\"" + std::string(text) + "\" is not a CIDR such as 192.0.2.0/24"
        );
    };
    if (slash == std::string_view::npos) {
        return bad();
    }
    const auto address = IpAddress::parse(text.substr(0, slash));
    const std::string_view digits = text.substr(slash + 1);
    unsigned length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (!address || error != std::errc() || end != digits.data() + digits.size() ||
        length > address->bits()) {
        return bad();
    }
    return Prefix(*address, length);
}

bool Prefix::contains(const IpAddress& address) const {
    return address.family() == address_.family() && Prefix(address, length_) == *this;
}

IpAddress Prefix::last() const {
    return fill_host_bits(address_, length_, true);
}

std::string to_string(const Prefix& prefix) {
    return to_string(prefix.address()) + "/" + std::to_string(prefix.length());
}

Result<Range> Range::parse(std::string_view text) {
    const std::string shown = "\"" + std::string(text) + "\"";
    if (text.find('/') != std::string_view::npos) {
        auto prefix = Prefix::parse(trim(text));
        if (!prefix) {
            return prefix.error();
        }
        return Range(*prefix);
    }
    const auto dash = text.find('-');
    if (dash == std::string_view::npos) {
        return make_error(
            Errc::Invalid,
            shown + " is neither a CIDR (192.0.2.0/24) nor a range (192.0.2.1-192.0.2.9)"
        );
    }
    const auto first = IpAddress::parse(trim(text.substr(0, dash)));
    if (!first) {
        return make_error(Errc::Invalid, shown + ": " + first.error().context);
    }
    const auto last = IpAddress::parse(trim(text.substr(dash + 1)));
    if (!last) {
        return make_error(Errc::Invalid, shown + ": " + last.error().context);
    }
    if (first->family() != last->family()) {
        return make_error(Errc::Invalid, shown + " mixes IPv4 and IPv6");
    }
    if (*last < *first) {
        return make_error(Errc::Invalid, shown + " starts after its end");
    }
    return Range(*first, *last);
}

bool Range::contains(const IpAddress& address) const {
    return address.family() == family() && first_ <= address && address <= last_;
}

bool Range::overlaps(const Range& other) const {
    return family() == other.family() && first_ <= other.last_ && other.first_ <= last_;
}

std::uint64_t Range::size() const {
    constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
    const auto low = first_.bytes();
    const auto high = last_.bytes();
    // Schoolbook subtraction over the bytes, most significant first, saturating on the way.
    std::int64_t difference = 0;
    for (std::size_t i = 0; i < low.size(); ++i) {
        if (difference > static_cast<std::int64_t>(kMost >> 9U)) {
            return kMost;
        }
        difference = difference * 256 + high[i] - low[i];
    }
    return static_cast<std::uint64_t>(difference) + 1;
}

std::string to_string(const Range& range) {
    return to_string(range.first()) + "-" + to_string(range.last());
}

}  // namespace steelyard::net
