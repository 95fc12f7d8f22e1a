#pragma once

#include "common/net/prefix.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

// The free addresses of one pool and one family, kept as intervals, never one by one: a /64 that
// hands out three addresses is four intervals. Order is the pool's own: ranges as listed, ascending
// inside each. Finding the lowest is a look at the first interval; taking and giving back are
// logarithmic in the number of holes.
namespace steelyard::ipam {

// An address as a number, so that intervals can grow and shrink by one.
struct Number {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    friend auto operator<=>(const Number&, const Number&) = default;
};
[[nodiscard]] Number to_number(const net::IpAddress& address);
[[nodiscard]] net::IpAddress to_address(Number number, net::Family family);

// MetalLB's avoidBuggyIPs: some old devices take IPv4 addresses ending in .0 or .255 for a network
// or broadcast address.
[[nodiscard]] bool is_buggy(const net::IpAddress& address);

// Where an address stands in the pool's own order.
struct Position {
    std::size_t range = 0;
    Number number;
    friend auto operator<=>(const Position&, const Position&) = default;
};

// Numbers from first to last, of the pool's range with that index.
struct Span {
    Number first;
    Number last;
    std::size_t range = 0;
};

class FreeSpace {
public:
    // `excluded` may overlap itself and reach outside the ranges.
    FreeSpace(
        const std::vector<net::Range>& ranges,
        net::Family family,
        bool avoid_buggy,
        const std::vector<net::Range>& excluded = {}
    );

    // Absent when the address lies in none of the ranges.
    [[nodiscard]] std::optional<Position> position_of(const net::IpAddress& address) const;
    [[nodiscard]] net::IpAddress address_at(const Position& position) const {
        return to_address(position.number, family_);
    }
    [[nodiscard]] bool excludes(const net::IpAddress& address) const;
    // The first free address.
    [[nodiscard]] std::optional<Position> lowest() const;
    void take(const Position& position);  // no effect when it is not free
    // No effect when it is free already, or not to be handed out at all.
    void give_back(const Position& position);

    // How many addresses can ever be handed out; saturates at 2^63 - 1.
    [[nodiscard]] std::uint64_t total() const { return total_; }

private:
    using Intervals = std::map<Position, Number>;  // start -> last

    void add_free(std::size_t range, Number first, Number last);
    [[nodiscard]] Intervals::iterator interval_with(const Position& position);
    void drop_first();
    void skip_buggy();

    net::Family family_;
    bool avoid_buggy_;
    std::vector<Span> spans_;     // sorted by first; they do not overlap
    std::vector<Span> excluded_;  // the same
    Intervals free_;              // the first never starts with an avoided address
    std::uint64_t total_ = 0;
};

}  // namespace steelyard::ipam
