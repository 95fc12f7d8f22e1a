#pragma once

#include <cstdint>
#include <deque>
#include <utility>

// What a watch sends, in order: positions count from 0 and never come twice. What every reader has
// read may be forgotten.
namespace steelyard::controller_sim {

template <class T>
class Log {
public:
    void push(T item) { items_.push_back(std::move(item)); }
    [[nodiscard]] std::uint64_t begin() const { return begin_; }
    [[nodiscard]] std::uint64_t end() const { return begin_ + items_.size(); }
    [[nodiscard]] const T& at(std::uint64_t position) const { return items_.at(position - begin_); }
    void forget_before(std::uint64_t position) {
        while (begin_ < position && !items_.empty()) {
            items_.pop_front();
            ++begin_;
        }
    }

private:
    std::uint64_t begin_ = 0;
    std::deque<T> items_;
};

}  // namespace steelyard::controller_sim
