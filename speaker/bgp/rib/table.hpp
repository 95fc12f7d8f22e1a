#pragma once

#include "common/net/prefix.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

// The routes of one family: a node each, found by prefix, and in exactly one list: that of its path
// list, or that of the removed. A list is ordered by last change. Nodes are numbered and never
// move; a node costs 24 bytes and its prefix (5 or 17), the index 5 to 8 bytes more.
namespace steelyard::bgp_rib {

inline constexpr std::uint32_t kNone = 0xffffffff;

struct Node {
    std::uint64_t sequence = 0;  // of the last change
    std::uint32_t list = 0;      // a path list of Policies
    std::uint32_t previous = kNone;
    std::uint32_t next = kNone;
    std::uint32_t told = kNone;  // a chain in Told: peers that were told something else
};

class Table {
public:
    explicit Table(net::Family family);

    [[nodiscard]] std::uint32_t find(const net::Prefix& prefix) const;
    // A node in no list; the prefix must not be there yet.
    std::uint32_t insert(const net::Prefix& prefix);
    // The node must be in no list.
    void erase(std::uint32_t node);

    [[nodiscard]] Node& operator[](std::uint32_t node) {
        return chunks_[node / kChunk]->nodes[node % kChunk];
    }
    [[nodiscard]] const Node& operator[](std::uint32_t node) const {
        return chunks_[node / kChunk]->nodes[node % kChunk];
    }
    [[nodiscard]] net::Prefix prefix(std::uint32_t node) const;

    // Puts the node at the end of the list, or takes it out of its list.
    void append(std::uint32_t node, std::uint32_t list);
    void unlink(std::uint32_t node);
    [[nodiscard]] std::uint32_t first(std::uint32_t list) const {
        return list < lists_.size() ? lists_[list].first : kNone;
    }
    // Lists are below this.
    [[nodiscard]] std::uint32_t lists() const { return static_cast<std::uint32_t>(lists_.size()); }

    [[nodiscard]] net::Family family() const { return family_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    // Node numbers are below this.
    [[nodiscard]] std::uint32_t capacity() const {
        return static_cast<std::uint32_t>(chunks_.size() * kChunk);
    }
    [[nodiscard]] std::size_t bytes() const;

private:
    static constexpr std::size_t kChunk = 1024;
    static constexpr std::size_t kLongestKey = 17;
    struct Chunk {
        std::array<Node, kChunk> nodes;
        std::unique_ptr<std::uint8_t[]> keys;
    };
    struct List {
        std::uint32_t first = kNone;
        std::uint32_t last = kNone;
    };
    using Key = std::array<std::uint8_t, kLongestKey>;  // address, length; the rest zeros

    [[nodiscard]] Key make_key(const net::Prefix& prefix) const;
    [[nodiscard]] std::span<std::uint8_t> key(std::uint32_t node) const;
    [[nodiscard]] std::size_t home(std::span<const std::uint8_t> key) const;
    void grow_index();
    void place(std::uint32_t node);
    void displace(std::size_t hole);

    net::Family family_;
    std::size_t key_size_;
    std::vector<std::unique_ptr<Chunk>> chunks_;
    std::vector<std::uint32_t> index_;  // open addressing, linear probing; at most 3/4 full
    std::vector<List> lists_;
    std::uint32_t free_ = kNone;  // chained by Node::next
    std::size_t size_ = 0;
};

}  // namespace steelyard::bgp_rib
