#pragma once

#include "common/net/ip.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>

// The one or two addresses of a Service, without a heap allocation for each of ten thousand.
namespace steelyard::ipam {

class Addresses {
public:
    Addresses() = default;
    // Of one address or two.
    explicit Addresses(std::span<const net::IpAddress> list)
        : count_(static_cast<std::uint8_t>(std::min(list.size(), list_.size()))) {
        std::copy_n(list.begin(), count_, list_.begin());
    }

    [[nodiscard]] std::span<const net::IpAddress> list() const {
        return std::span(list_).first(count_);
    }
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] bool contains(const net::IpAddress& address) const {
        return std::find(list().begin(), list().end(), address) != list().end();
    }
    void push_back(const net::IpAddress& address) { list_.at(count_++) = address; }
    void sort() {
        if (count_ == 2 && list_[1] < list_[0]) {
            std::swap(list_[0], list_[1]);
        }
    }
    friend bool operator==(const Addresses& a, const Addresses& b) {
        return std::ranges::equal(a.list(), b.list());
    }

private:
    std::array<net::IpAddress, 2> list_{};
    std::uint8_t count_ = 0;
};

}  // namespace steelyard::ipam
