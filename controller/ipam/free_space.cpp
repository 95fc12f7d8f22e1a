#include "controller/ipam/free_space.hpp"

#include <algorithm>
#include <limits>

namespace steelyard::ipam {
namespace {

constexpr std::uint64_t kMaxCount = std::numeric_limits<std::int64_t>::max();

Number next(Number number) {
    ++number.low;
    number.high += number.low == 0 ? 1U : 0U;
    return number;
}

Number previous(Number number) {
    number.high -= number.low == 0 ? 1U : 0U;
    --number.low;
    return number;
}

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
    return a > kMaxCount - std::min(b, kMaxCount) ? kMaxCount : a + b;
}

std::uint64_t size_of(Number first, Number last) {
    const std::uint64_t borrow = last.low < first.low ? 1 : 0;
    const std::uint64_t distance = last.low - first.low;
    return last.high - first.high - borrow != 0 || distance >= kMaxCount ? kMaxCount : distance + 1;
}

// How many numbers up to and including `last` end in the octet `octet`.
std::uint64_t count_ending(std::uint64_t last, std::uint64_t octet) {
    return last < octet ? 0 : (last - octet) / 256 + 1;
}

std::uint64_t count_buggy(Number first, Number last) {
    std::uint64_t count = 0;
    for (const std::uint64_t octet : {std::uint64_t{0}, std::uint64_t{255}}) {
        count += count_ending(last.low, octet);
        count -= first.low == 0 ? 0 : count_ending(first.low - 1, octet);
    }
    return count;
}

bool starts_before(const Span& a, const Span& b) {
    return a.first < b.first;
}

// Of sorted spans that do not overlap, the one that holds the number, or null.
const Span* find_span(const std::vector<Span>& spans, Number number) {
    const auto after = std::upper_bound(
        spans.begin(),
        spans.end(),
        number,
        [](const Number& wanted, const Span& span) { return wanted < span.first; }
    );
    if (after == spans.begin() || std::prev(after)->last < number) {
        return nullptr;
    }
    return &*std::prev(after);
}

void merge_overlaps(std::vector<Span>& spans) {
    std::vector<Span> merged;
    for (const Span& span : spans) {
        if (merged.empty() || merged.back().last < span.first) {
            merged.push_back(span);
        } else {
            merged.back().last = std::max(merged.back().last, span.last);
        }
    }
    spans = std::move(merged);
}

}  // namespace

Number to_number(const net::IpAddress& address) {
    if (address.is_v4()) {
        return {0, address.v4_host_order()};
    }
    Number number;
    const auto bytes = address.bytes();
    for (std::size_t i = 0; i < 8; ++i) {
        number.high = number.high << 8U | bytes[i];
        number.low = number.low << 8U | bytes[i + 8];
    }
    return number;
}

net::IpAddress to_address(Number number, net::Family family) {
    if (family == net::Family::V4) {
        return net::IpAddress::v4(static_cast<std::uint32_t>(number.low));
    }
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t i = 0; i < 8; ++i) {
        const unsigned shift = 56U - 8U * static_cast<unsigned>(i);
        bytes.at(i) = static_cast<std::uint8_t>(number.high >> shift);
        bytes.at(i + 8) = static_cast<std::uint8_t>(number.low >> shift);
    }
    return net::IpAddress::v6(bytes);
}

bool is_buggy(const net::IpAddress& address) {
    return address.is_v4() && (address.bytes()[3] == 0 || address.bytes()[3] == 255);
}

FreeSpace::FreeSpace(
    const std::vector<net::Range>& ranges,
    net::Family family,
    bool avoid_buggy,
    const std::vector<net::Range>& excluded
)
    : family_(family), avoid_buggy_(avoid_buggy && family == net::Family::V4) {
    for (const net::Range& range : excluded) {
        if (range.family() == family) {
            excluded_.push_back({to_number(range.first()), to_number(range.last()), 0});
        }
    }
    std::sort(excluded_.begin(), excluded_.end(), starts_before);
    merge_overlaps(excluded_);
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        if (ranges[i].family() == family) {
            const Span span{to_number(ranges[i].first()), to_number(ranges[i].last()), i};
            spans_.push_back(span);
            add_free(i, span.first, span.last);
        }
    }
    std::sort(spans_.begin(), spans_.end(), starts_before);
    skip_buggy();
}

// The part of a range that is not excluded.
void FreeSpace::add_free(std::size_t range, Number first, Number last) {
    const auto add = [&](Number from, Number to) {
        free_.emplace(Position{range, from}, to);
        const std::uint64_t avoided = avoid_buggy_ ? count_buggy(from, to) : 0;
        total_ = saturating_add(total_, size_of(from, to) - avoided);
    };
    auto hole = std::lower_bound(
        excluded_.begin(),
        excluded_.end(),
        first,
        [](const Span& span, const Number& wanted) { return span.last < wanted; }
    );
    for (; hole != excluded_.end() && hole->first <= last; ++hole) {
        if (first < hole->first) {
            add(first, previous(hole->first));
        }
        if (last <= hole->last) {
            return;
        }
        first = next(hole->last);
    }
    add(first, last);
}

bool FreeSpace::excludes(const net::IpAddress& address) const {
    return !excluded_.empty() && address.family() == family_ &&
           find_span(excluded_, to_number(address)) != nullptr;
}

std::optional<Position> FreeSpace::position_of(const net::IpAddress& address) const {
    if (address.family() != family_) {
        return std::nullopt;
    }
    const Number number = to_number(address);
    const Span* span = find_span(spans_, number);
    return span != nullptr ? std::optional(Position{span->range, number}) : std::nullopt;
}

std::optional<Position> FreeSpace::lowest() const {
    return free_.empty() ? std::nullopt : std::optional(free_.begin()->first);
}

// Avoided addresses count as free until they would be the next one given.
void FreeSpace::skip_buggy() {
    while (avoid_buggy_ && !free_.empty() && is_buggy(address_at(free_.begin()->first))) {
        drop_first();
    }
}

void FreeSpace::drop_first() {
    const auto first = free_.begin();
    if (first->first.number == first->second) {
        free_.erase(first);
        return;
    }
    // The node is moved, not rebuilt: this is the path of every ordinary allocation.
    auto node = free_.extract(first);
    node.key().number = next(node.key().number);
    free_.insert(free_.begin(), std::move(node));
}

FreeSpace::Intervals::iterator FreeSpace::interval_with(const Position& position) {
    auto after = free_.upper_bound(position);
    if (after == free_.begin()) {
        return free_.end();
    }
    --after;
    const bool inside = after->first.range == position.range && position.number <= after->second;
    return inside ? after : free_.end();
}

void FreeSpace::take(const Position& position) {
    const auto interval = interval_with(position);
    if (interval == free_.end()) {
        return;
    }
    if (interval == free_.begin() && interval->first == position) {
        drop_first();
        skip_buggy();
        return;
    }
    const Number last = interval->second;
    if (interval->first == position) {
        free_.erase(interval);
    } else {
        interval->second = previous(position.number);
    }
    if (position.number < last) {
        free_.emplace(Position{position.range, next(position.number)}, last);
    }
}

void FreeSpace::give_back(const Position& position) {
    const net::IpAddress address = address_at(position);
    if ((avoid_buggy_ && is_buggy(address)) || excludes(address) ||
        interval_with(position) != free_.end()) {
        return;
    }
    Number last = position.number;
    const auto after = free_.upper_bound(position);
    if (after != free_.end() && after->first.range == position.range &&
        after->first.number == next(position.number)) {
        last = after->second;
        free_.erase(after);
    }
    const auto at = free_.lower_bound(position);
    if (at != free_.begin()) {
        const auto before = std::prev(at);
        if (before->first.range == position.range && next(before->second) == position.number) {
            before->second = last;
            return;
        }
    }
    free_.emplace(position, last);
}

}  // namespace steelyard::ipam
