#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

// Equal values once, known by a small number from 1 on; a number lives while it is referenced and
// is used again afterwards. Needs operator< of T.
namespace steelyard::bgp_rib {

template <class T>
class Interner {
public:
    // The number of this value, with one reference for the caller.
    std::uint32_t add(T value) {
        const auto [it, fresh] = ids_.try_emplace(std::move(value), 0);
        if (fresh) {
            it->second = take_id();
            entries_[it->second - 1] = {it, 0};
        }
        ++entries_[it->second - 1].references;
        return it->second;
    }
    void retain(std::uint32_t id) { ++entries_[id - 1].references; }
    // True when that was the last reference: the value is gone.
    bool release(std::uint32_t id) {
        Entry& entry = entries_[id - 1];
        if (--entry.references != 0) {
            return false;
        }
        ids_.erase(entry.place);
        free_.push_back(id);
        return true;
    }
    [[nodiscard]] bool sole(std::uint32_t id) const { return entries_[id - 1].references == 1; }
    [[nodiscard]] const T& operator[](std::uint32_t id) const {
        return entries_[id - 1].place->first;
    }
    [[nodiscard]] std::size_t size() const { return ids_.size(); }
    // No number was ever above this.
    [[nodiscard]] std::uint32_t highest() const {
        return static_cast<std::uint32_t>(entries_.size());
    }
    [[nodiscard]] bool live(std::uint32_t id) const { return entries_[id - 1].references != 0; }

private:
    struct Entry {
        typename std::map<T, std::uint32_t>::iterator place;
        std::uint32_t references = 0;
    };

    std::uint32_t take_id() {
        if (free_.empty()) {
            entries_.emplace_back();
            return highest();
        }
        const std::uint32_t id = free_.back();
        free_.pop_back();
        return id;
    }

    std::map<T, std::uint32_t> ids_;
    std::vector<Entry> entries_;
    std::vector<std::uint32_t> free_;
};

}  // namespace steelyard::bgp_rib
