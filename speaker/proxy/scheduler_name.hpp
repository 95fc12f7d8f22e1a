#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

namespace steelyard::proxy {

// The name of an IPVS scheduler, without memory of its own: there is one in every virtual server
// and operation, and tables of those are moved as plain bytes. Of a name longer than the kernel's
// (IP_VS_SCHEDNAME_MAXLEN, 16 with the zero) the rest is cut off; no scheduler is called that.
class SchedulerName {
public:
    SchedulerName() = default;
    // NOLINTNEXTLINE(google-explicit-constructor): only another way to hold the text
    template <std::convertible_to<std::string_view> Text>
    SchedulerName(const Text& text) {
        const std::string_view name = text;
        std::copy_n(name.begin(), std::min(name.size(), kLongest), letters_.begin());
    }
    // NOLINTNEXTLINE(google-explicit-constructor): only another way to hold the text
    operator std::string_view() const {
        const auto end = std::find(letters_.begin(), letters_.end(), '\0');
        return {letters_.data(), static_cast<std::size_t>(end - letters_.begin())};
    }
    friend bool operator==(const SchedulerName&, const SchedulerName&) = default;

private:
    static constexpr std::size_t kLongest = 15;
    std::array<char, kLongest + 1> letters_{};
};

}  // namespace steelyard::proxy
