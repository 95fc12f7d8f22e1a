#pragma once

#include "common/base/time.hpp"
#include "speaker/proxy/diff/op.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace steelyard::proxy {

// The objects the kernel refuses, each tried again by itself after 2 s, then 4 s and so on up to
// 5 min.
class Retries {
public:
    struct Trouble {
        std::string reason;  // of the last attempt
        unsigned attempts = 0;
        Instant next;
    };
    static constexpr Duration kFirst = std::chrono::seconds{2};
    static constexpr Duration kLongest = std::chrono::minutes{5};

    void failed(const Object& object, std::string reason, Instant now);
    void done(const Object& object) { troubles_.erase(object); }
    [[nodiscard]] std::optional<Instant> next() const;
    [[nodiscard]] std::vector<Object> due(Instant now) const;
    [[nodiscard]] const std::map<Object, Trouble>& troubles() const { return troubles_; }

private:
    std::map<Object, Trouble> troubles_;
};

}  // namespace steelyard::proxy
