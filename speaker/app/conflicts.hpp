#pragma once

#include "common/base/time.hpp"
#include "speaker/plan/plan.hpp"

#include <cstdint>
#include <map>
#include <set>

// Who else claims the addresses announced here. The wire reports a conflict at most every ten
// seconds while it lasts, so one that was not heard for a minute is over. Pure.
namespace steelyard::speaker {

class Conflicts {
public:
    static constexpr Duration kLife = std::chrono::minutes(1);

    // True when it is a new one.
    bool note(const speaker_plan::Conflict& conflict, Instant now);
    // Forgets those that are over; true when there were any.
    bool expire(Instant now);

    [[nodiscard]] std::set<speaker_plan::Conflict> current() const;
    // Reports heard, by address.
    [[nodiscard]] const std::map<net::IpAddress, std::uint64_t>& totals() const { return totals_; }

private:
    std::map<speaker_plan::Conflict, Instant> heard_;
    std::map<net::IpAddress, std::uint64_t> totals_;
};

}  // namespace steelyard::speaker
