#pragma once

#include "common/config/config.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The checks that several kinds share. Each appends what it finds to one list of problems, so that
// a user sees all mistakes at once.
namespace steelyard::config {

class ObjectCheck {
public:
    // `problems` outlives this object.
    ObjectCheck(Kind kind, kube::ObjectKey key, std::vector<Problem>& problems);

    void add(std::string field, std::string value, std::string accepted);
    // No empty string and no string twice.
    void unique_names(const std::string& field, const std::vector<std::string>& names);
    // No selector twice; each of them well formed.
    void selectors(const std::string& field, const std::vector<kube::LabelSelector>& list);
    void selector(const std::string& field, const kube::LabelSelector& selector);
    // A name the kernel can give to an interface; "" passes.
    void interface_name(const std::string& field, const std::string& name);
    // `value` when it lies in [min, max]; `when_wrong` otherwise.
    [[nodiscard]] std::int64_t number(
        const std::string& field,
        std::int64_t value,
        std::int64_t min,
        std::int64_t max,
        std::int64_t when_wrong
    );
    // The same for a number that may be absent.
    template <class T>
    [[nodiscard]] std::optional<T> number(
        const std::string& field,
        const std::optional<std::int64_t>& value,
        std::int64_t min,
        std::int64_t max
    ) {
        if (!value) {
            return std::nullopt;
        }
        return static_cast<T>(number(field, *value, min, max, min));
    }
    // An address, of `family` if given; nullopt when it is absent ("") or wrong.
    [[nodiscard]] std::optional<net::IpAddress> address(
        const std::string& field, const std::string& text, std::optional<net::Family> family = {}
    );
    // Whole seconds, what is below a second cut off; nullopt when it is absent ("") or wrong.
    [[nodiscard]] std::optional<std::chrono::seconds> seconds(
        const std::string& field, const std::string& text, std::string_view accepted
    );

private:
    Kind kind_;
    kube::ObjectKey key_;
    std::vector<Problem>& problems_;
};

inline constexpr std::string_view kCommunityAccepted =
    "give 64512:100, large:64512:1:100, extended:rt:64512:100, extended:soo:64512:100 or a "
    "registered name such as no-export";

// The pools an advertisement means, sorted: those named and those selected; neither means every
// pool. Unknown names are no error: the pool may be created later (metallb.io semantics). `pools`
// is sorted by name.
[[nodiscard]] std::vector<std::string> select_pools(
    const std::vector<std::string>& names,
    const std::vector<kube::LabelSelector>& selectors,
    const std::vector<Pool>& pools,
    ObjectCheck& check
);

// The length of the widest prefix that lies within the range.
[[nodiscard]] unsigned shortest_block(const net::Range& range);

[[nodiscard]] std::string describe(const kube::LabelSelector& selector);
[[nodiscard]] std::string at(const std::string& field, std::size_t index);  // field[index]

}  // namespace steelyard::config
