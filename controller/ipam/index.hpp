#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// A hash index: from a key, which lives elsewhere, to a small number. Eight bytes a slot, open
// addressing, linear probing; the slot holds half the hash, so that a look-up seldom touches an
// object it does not want. In a table of 60 000 a node-based map costs several cache misses there.
namespace steelyard::ipam {

class Index {
public:
    static constexpr std::uint32_t kNone = 0xffffffffU;

    // The number put in under this hash for which `matches(number)` holds, or kNone.
    template <class Matches>
    [[nodiscard]] std::uint32_t find(std::size_t hash, Matches&& matches) const {
        const std::uint32_t tag = tag_of(hash);
        for (std::size_t at = tag & mask_; !slots_.empty() && slots_[at].number != kNone;
             at = (at + 1) & mask_) {
            if (slots_[at].tag == tag && matches(slots_[at].number)) {
                return slots_[at].number;
            }
        }
        return kNone;
    }
    void insert(std::size_t hash, std::uint32_t number);  // the key must not be there yet
    void erase(std::size_t hash, std::uint32_t number);   // must be there
    void replace(std::size_t hash, std::uint32_t number, std::uint32_t by);
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    struct Slot {
        std::uint32_t tag = 0;
        std::uint32_t number = kNone;
    };
    [[nodiscard]] static std::uint32_t tag_of(std::size_t hash) {
        // Fibonacci hashing: the upper half of the product depends on every bit of the hash.
        return static_cast<std::uint32_t>((hash * 0x9e3779b97f4a7c15ULL) >> 32U);
    }
    [[nodiscard]] std::size_t slot_of(std::size_t hash, std::uint32_t number) const;
    void grow();
    void put(Slot slot);

    std::vector<Slot> slots_;  // a power of two of them, or none
    std::size_t mask_ = 0;
    std::size_t size_ = 0;
};

}  // namespace steelyard::ipam
