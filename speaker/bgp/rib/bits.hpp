#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// A set of node numbers, one bit each and no more: it grows to the size asked for, not beyond.
// Numbers past the end are absent.
namespace steelyard::bgp_rib {

class Bits {
public:
    [[nodiscard]] bool test(std::uint32_t index) const {
        return index / 64 < words_.size() && ((words_[index / 64] >> (index % 64)) & 1U) != 0;
    }
    // `capacity`: above every number there is.
    void set(std::uint32_t index, std::uint32_t capacity) {
        if (index / 64 >= words_.size()) {
            grow(capacity);
        }
        words_[index / 64] |= std::uint64_t{1} << (index % 64);
    }
    void reset(std::uint32_t index) {
        if (index / 64 < words_.size()) {
            words_[index / 64] &= ~(std::uint64_t{1} << (index % 64));
        }
    }
    void set_all(std::uint32_t capacity) {
        grow(capacity);
        for (std::uint64_t& word : words_) {
            word = ~std::uint64_t{0};
        }
    }
    void flip_all(std::uint32_t capacity) {
        grow(capacity);
        for (std::uint64_t& word : words_) {
            word = ~word;
        }
    }
    void free() { std::vector<std::uint64_t>().swap(words_); }
    [[nodiscard]] std::size_t bytes() const { return words_.capacity() * sizeof(std::uint64_t); }

private:
    void grow(std::uint32_t capacity) {
        const std::size_t words = (std::size_t{capacity} + 63) / 64;
        if (words > words_.size()) {
            words_.reserve(words);
            words_.resize(words);
        }
    }

    std::vector<std::uint64_t> words_;
};

}  // namespace steelyard::bgp_rib
