#include "controller/ipam/index.hpp"

#include "common/base/check.hpp"

#include <utility>

namespace steelyard::ipam {

void Index::insert(std::size_t hash, std::uint32_t number) {
    if (4 * (size_ + 1) > 3 * slots_.size()) {
        grow();
    }
    put({tag_of(hash), number});
    ++size_;
}

void Index::replace(std::size_t hash, std::uint32_t number, std::uint32_t by) {
    slots_[slot_of(hash, number)].number = by;
}

void Index::erase(std::size_t hash, std::uint32_t number) {
    std::size_t hole = slot_of(hash, number);
    // Whatever was pushed past the hole moves up, so that no probe ends there too early.
    for (std::size_t at = (hole + 1) & mask_; slots_[at].number != kNone; at = (at + 1) & mask_) {
        const std::size_t home = slots_[at].tag & mask_;
        if (((at - home) & mask_) >= ((at - hole) & mask_)) {
            slots_[hole] = slots_[at];
            hole = at;
        }
    }
    slots_[hole] = {};
    --size_;
}

std::size_t Index::slot_of(std::size_t hash, std::uint32_t number) const {
    // The number alone is not enough: it may be there under another hash as well.
    const std::uint32_t tag = tag_of(hash);
    std::size_t at = tag & mask_;
    while (slots_[at].number != number || slots_[at].tag != tag) {
        SY_CHECK(slots_[at].number != kNone, "the number is in the index");
        at = (at + 1) & mask_;
    }
    return at;
}

void Index::grow() {
    constexpr std::size_t kSmallest = 16;
    const std::vector<Slot> old =
        std::exchange(slots_, std::vector<Slot>(slots_.empty() ? kSmallest : 2 * slots_.size()));
    mask_ = slots_.size() - 1;
    for (const Slot& slot : old) {
        if (slot.number != kNone) {
            put(slot);
        }
    }
}

void Index::put(Slot slot) {
    std::size_t at = slot.tag & mask_;
    while (slots_[at].number != kNone) {
        at = (at + 1) & mask_;
    }
    slots_[at] = slot;
}

}  // namespace steelyard::ipam
