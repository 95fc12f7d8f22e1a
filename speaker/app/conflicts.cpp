#include "speaker/app/conflicts.hpp"

namespace steelyard::speaker {

bool Conflicts::note(const speaker_plan::Conflict& conflict, Instant now) {
    ++totals_[conflict.ip];
    return heard_.insert_or_assign(conflict, now).second;
}

bool Conflicts::expire(Instant now) {
    return std::erase_if(heard_, [&](const auto& entry) { return entry.second + kLife <= now; }) !=
           0;
}

std::set<speaker_plan::Conflict> Conflicts::current() const {
    std::set<speaker_plan::Conflict> out;
    for (const auto& [conflict, when] : heard_) {
        out.insert(conflict);
    }
    return out;
}

}  // namespace steelyard::speaker
