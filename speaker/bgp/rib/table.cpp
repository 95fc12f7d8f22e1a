#include "speaker/bgp/rib/table.hpp"

#include <algorithm>
#include <cstring>

namespace steelyard::bgp_rib {
namespace {

// The finaliser of SplitMix64 (Steele, Lea, Flood).
std::uint64_t mix(std::uint64_t value) {
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31U);
}

}  // namespace

Table::Table(net::Family family)
    : family_(family), key_size_(family == net::Family::V4 ? 5 : kLongestKey) {}

Table::Key Table::make_key(const net::Prefix& prefix) const {
    Key key{};
    const auto address = prefix.address().bytes();
    std::copy(address.begin(), address.end(), key.begin());
    key[key_size_ - 1] = static_cast<std::uint8_t>(prefix.length());
    return key;
}

std::span<std::uint8_t> Table::key(std::uint32_t node) const {
    return {&chunks_[node / kChunk]->keys[(node % kChunk) * key_size_], key_size_};
}

net::Prefix Table::prefix(std::uint32_t node) const {
    const auto bytes = key(node);
    if (family_ == net::Family::V4) {
        const std::uint32_t address = std::uint32_t{bytes[0]} << 24U |
                                      std::uint32_t{bytes[1]} << 16U |
                                      std::uint32_t{bytes[2]} << 8U | bytes[3];
        return {net::IpAddress::v4(address), bytes[4]};
    }
    std::array<std::uint8_t, 16> address{};
    std::copy_n(bytes.begin(), address.size(), address.begin());
    return {net::IpAddress::v6(address), bytes[16]};
}

// Where the search for this key starts.
std::size_t Table::home(std::span<const std::uint8_t> key) const {
    std::uint64_t hash = key.back();
    for (std::size_t at = 0; at + 4 < key.size(); at += 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, &key[at], sizeof(word));
        hash = mix(hash << 32U ^ hash ^ word);
    }
    return (hash >> 32U) * index_.size() >> 32U;
}

std::uint32_t Table::find(const net::Prefix& prefix) const {
    if (index_.empty() || prefix.address().family() != family_) {
        return kNone;
    }
    const Key wanted = make_key(prefix);
    std::size_t at = home(std::span(wanted).first(key_size_));
    while (index_[at] != kNone) {
        if (std::memcmp(key(index_[at]).data(), wanted.data(), key_size_) == 0) {
            return index_[at];
        }
        at = at + 1 == index_.size() ? 0 : at + 1;
    }
    return kNone;
}

void Table::place(std::uint32_t node) {
    std::size_t at = home(key(node));
    while (index_[at] != kNone) {
        at = at + 1 == index_.size() ? 0 : at + 1;
    }
    index_[at] = node;
}

void Table::grow_index() {
    std::vector<std::uint32_t> old(index_.size() + index_.size() / 2 + 16, kNone);
    old.swap(index_);
    for (const std::uint32_t node : old) {
        if (node != kNone) {
            place(node);
        }
    }
}

std::uint32_t Table::insert(const net::Prefix& prefix) {
    if (free_ == kNone) {
        const std::uint32_t begin = capacity();
        auto chunk = std::make_unique<Chunk>();
        chunk->keys = std::make_unique<std::uint8_t[]>(kChunk * key_size_);
        chunks_.push_back(std::move(chunk));
        for (std::uint32_t node = capacity(); node-- > begin;) {
            (*this)[node].next = free_;
            free_ = node;
        }
    }
    if ((size_ + 1) * 4 > index_.size() * 3) {
        grow_index();
    }
    const std::uint32_t node = free_;
    free_ = (*this)[node].next;
    (*this)[node] = {};
    const Key bytes = make_key(prefix);
    std::copy_n(bytes.begin(), key_size_, key(node).begin());
    place(node);
    ++size_;
    return node;
}

// Keeps every entry reachable: an entry after the hole moves into it unless its home lies between.
void Table::displace(std::size_t hole) {
    std::size_t at = hole;
    for (;;) {
        at = at + 1 == index_.size() ? 0 : at + 1;
        if (index_[at] == kNone) {
            break;
        }
        const std::size_t start = home(key(index_[at]));
        const bool stays = hole < at ? hole < start && start <= at : hole < start || start <= at;
        if (!stays) {
            index_[hole] = index_[at];
            hole = at;
        }
    }
    index_[hole] = kNone;
}

void Table::erase(std::uint32_t node) {
    std::size_t at = home(key(node));
    while (index_[at] != node) {
        at = at + 1 == index_.size() ? 0 : at + 1;
    }
    displace(at);
    (*this)[node].next = free_;
    free_ = node;
    --size_;
}

void Table::append(std::uint32_t node, std::uint32_t list) {
    lists_.resize(std::max<std::size_t>(lists_.size(), list + std::size_t{1}));
    List& target = lists_[list];
    Node& self = (*this)[node];
    self.list = list;
    self.previous = target.last;
    self.next = kNone;
    (target.last == kNone ? target.first : (*this)[target.last].next) = node;
    target.last = node;
}

void Table::unlink(std::uint32_t node) {
    Node& self = (*this)[node];
    List& list = lists_[self.list];
    (self.previous == kNone ? list.first : (*this)[self.previous].next) = self.next;
    (self.next == kNone ? list.last : (*this)[self.next].previous) = self.previous;
    self.previous = kNone;
    self.next = kNone;
}

std::size_t Table::bytes() const {
    return chunks_.size() * (sizeof(Chunk) + kChunk * key_size_) +
           index_.capacity() * sizeof(index_[0]) + lists_.capacity() * sizeof(List) +
           chunks_.capacity() * sizeof(chunks_[0]);
}

}  // namespace steelyard::bgp_rib
