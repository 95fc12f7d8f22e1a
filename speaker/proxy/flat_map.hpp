#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <initializer_list>
#include <utility>
#include <vector>

// A map and a set as sorted vectors: a third of the memory of the tree kind, and comparing two is
// one walk. For tables that are built once, read often and stay small; an insertion shifts.
namespace steelyard::proxy {

template <class Key, class Value>
class FlatMap {
public:
    using value_type = std::pair<Key, Value>;
    using const_iterator = typename std::vector<value_type>::const_iterator;

    FlatMap() = default;
    FlatMap(std::initializer_list<value_type> items) {
        items_.reserve(items.size());
        for (const value_type& item : items) {
            emplace(item.first, item.second);
        }
    }

    [[nodiscard]] const_iterator begin() const { return items_.begin(); }
    [[nodiscard]] const_iterator end() const { return items_.end(); }
    [[nodiscard]] std::size_t size() const { return items_.size(); }
    [[nodiscard]] bool empty() const { return items_.empty(); }
    void reserve(std::size_t count) { items_.reserve(count); }
    void shrink_to_fit() { items_.shrink_to_fit(); }
    void clear() { items_.clear(); }

    [[nodiscard]] const_iterator find(const Key& key) const {
        const auto at = lower_bound(key);
        return at != items_.end() && at->first == key ? at : items_.end();
    }
    [[nodiscard]] bool contains(const Key& key) const { return find(key) != items_.end(); }
    // The value of a key that is there.
    [[nodiscard]] const Value& at(const Key& key) const { return items_.at(index_of(key)).second; }

    Value& operator[](const Key& key) { return slot(key)->second; }
    // Keeps what is there, like std::map.
    std::pair<const_iterator, bool> emplace(const Key& key, Value value) {
        const auto at = lower_bound(key);
        if (at != items_.end() && at->first == key) {
            return {at, false};
        }
        return {items_.emplace(at, key, std::move(value)), true};
    }
    void insert_or_assign(const Key& key, Value value) { slot(key)->second = std::move(value); }
    std::size_t erase(const Key& key) {
        const auto at = find(key);
        if (at == items_.end()) {
            return 0;
        }
        items_.erase(at);
        return 1;
    }

    friend bool operator==(const FlatMap&, const FlatMap&) = default;

private:
    [[nodiscard]] const_iterator lower_bound(const Key& key) const {
        if (!items_.empty() && items_.back().first < key) {  // built in order: no search
            return items_.end();
        }
        return std::lower_bound(
            items_.begin(),
            items_.end(),
            key,
            [](const value_type& item, const Key& wanted) { return item.first < wanted; }
        );
    }
    [[nodiscard]] std::size_t index_of(const Key& key) const {
        return static_cast<std::size_t>(find(key) - items_.begin());
    }
    typename std::vector<value_type>::iterator slot(const Key& key) {
        const auto at = emplace(key, Value()).first;
        return items_.begin() + (at - items_.begin());
    }

    std::vector<value_type> items_;
};

template <class Key>
class FlatSet {
public:
    using value_type = Key;
    using const_iterator = typename std::vector<Key>::const_iterator;

    FlatSet() = default;
    FlatSet(std::initializer_list<Key> items) {
        for (const Key& item : items) {
            insert(item);
        }
    }

    [[nodiscard]] const_iterator begin() const { return items_.begin(); }
    [[nodiscard]] const_iterator end() const { return items_.end(); }
    [[nodiscard]] std::size_t size() const { return items_.size(); }
    [[nodiscard]] bool empty() const { return items_.empty(); }
    void shrink_to_fit() { items_.shrink_to_fit(); }
    [[nodiscard]] bool contains(const Key& key) const {
        return std::binary_search(items_.begin(), items_.end(), key);
    }

    bool insert(const Key& key) {
        const auto at = std::lower_bound(items_.begin(), items_.end(), key);
        if (at != items_.end() && *at == key) {
            return false;
        }
        items_.insert(at, key);
        return true;
    }
    std::size_t erase(const Key& key) {
        const auto at = std::lower_bound(items_.begin(), items_.end(), key);
        if (at == items_.end() || *at != key) {
            return 0;
        }
        items_.erase(at);
        return 1;
    }

    friend bool operator==(const FlatSet&, const FlatSet&) = default;

private:
    std::vector<Key> items_;
};

}  // namespace steelyard::proxy
