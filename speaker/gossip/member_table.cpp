#include "speaker/gossip/member_table.hpp"

#include <utility>

namespace steelyard::gossip {

Member* MemberTable::find(const std::string& name) {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &members_[found->second];
}

const Member* MemberTable::find(const std::string& name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &members_[found->second];
}

Member& MemberTable::add(Member member) {
    index_.emplace(member.name, members_.size());
    return members_.emplace_back(std::move(member));
}

std::vector<std::string> MemberTable::forget(const std::function<bool(const Member&)>& gone) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < members_.size();) {
        if (!gone(members_[i])) {
            ++i;
            continue;
        }
        index_.erase(members_[i].name);
        names.push_back(members_[i].name);
        if (i + 1 < members_.size()) {
            members_[i] = std::move(members_.back());
            index_[members_[i].name] = i;
        }
        members_.pop_back();
    }
    return names;
}

std::vector<const Member*> MemberTable::pick(
    std::size_t count, Rng& rng, const std::function<bool(const Member&)>& wanted
) const {
    std::vector<const Member*> candidates;
    for (const Member& member : members_) {
        if (wanted(member)) {
            candidates.push_back(&member);
        }
    }
    count = std::min(count, candidates.size());
    for (std::size_t i = 0; i < count; ++i) {
        std::swap(candidates[i], candidates[i + rng.below(candidates.size() - i)]);
    }
    candidates.resize(count);
    return candidates;
}

}  // namespace steelyard::gossip
