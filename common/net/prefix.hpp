#pragma once

#include "common/net/ip.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// CIDR prefixes and inclusive address ranges, the two ways a pool is written.
namespace steelyard::net {

class Prefix {
public:
    Prefix() = default;                                 // 0.0.0.0/0
    Prefix(const IpAddress& address, unsigned length);  // host bits are cleared; length <= bits()
    // "192.0.2.0/24"; host bits are accepted and dropped, as MetalLB does.
    static Result<Prefix> parse(std::string_view text);

    [[nodiscard]] const IpAddress& address() const { return address_; }
    [[nodiscard]] unsigned length() const { return length_; }
    [[nodiscard]] bool contains(const IpAddress& address) const;
    [[nodiscard]] IpAddress first() const { return address_; }
    [[nodiscard]] IpAddress last() const;

    friend auto operator<=>(const Prefix&, const Prefix&) = default;

private:
    IpAddress address_;
    unsigned length_ = 0;
};

[[nodiscard]] std::string to_string(const Prefix& prefix);

// An inclusive range of one family, first <= last.
class Range {
public:
    explicit Range(const IpAddress& single) : first_(single), last_(single) {}
    explicit Range(const Prefix& prefix) : first_(prefix.first()), last_(prefix.last()) {}
    // "a-b" (blanks allowed round the dash) or a CIDR; a bare address is refused, as MetalLB does.
    static Result<Range> parse(std::string_view text);

    [[nodiscard]] const IpAddress& first() const { return first_; }
    [[nodiscard]] const IpAddress& last() const { return last_; }
    [[nodiscard]] Family family() const { return first_.family(); }
    [[nodiscard]] bool contains(const IpAddress& address) const;
    [[nodiscard]] bool overlaps(const Range& other) const;
    // Number of addresses; saturates at 2^63 - 1 (the largest count a status field can hold).
    [[nodiscard]] std::uint64_t size() const;

    friend auto operator<=>(const Range&, const Range&) = default;

private:
    Range(const IpAddress& first, const IpAddress& last) : first_(first), last_(last) {}
    IpAddress first_;
    IpAddress last_;
};

[[nodiscard]] std::string to_string(const Range& range);  // "a-b"

}  // namespace steelyard::net
