#pragma once

#include <memory>
#include <utility>

namespace steelyard::proxy {

// An immutable value that plan, merged state and mirror hold once together. Equal when the values
// are, which the same pointer answers at once. Never null except after a move or by default.
template <class T>
class Shared {
public:
    Shared() = default;
    // NOLINTNEXTLINE(google-explicit-constructor): only another way to hold the value
    Shared(T value) : value_(std::make_shared<const T>(std::move(value))) {}

    [[nodiscard]] const T& operator*() const { return *value_; }
    [[nodiscard]] const T* operator->() const { return value_.get(); }
    [[nodiscard]] explicit operator bool() const { return value_ != nullptr; }
    // Whether both hold the very same object.
    [[nodiscard]] bool is(const Shared& other) const { return value_ == other.value_; }

    friend bool operator==(const Shared& left, const Shared& right) {
        return left.value_ == right.value_ ||
               (left.value_ && right.value_ && *left.value_ == *right.value_);
    }

private:
    std::shared_ptr<const T> value_;
};

}  // namespace steelyard::proxy
