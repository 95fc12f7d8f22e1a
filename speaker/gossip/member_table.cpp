#include "speaker/gossip/member_table.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::gossip {
namespace {

constexpr std::size_t kFirstSlots = 16;

// Slots for this many members: the smallest power of two that they fill to three quarters at most.
std::size_t slots_for(std::size_t members) {
    std::size_t slots = kFirstSlots;
    while (members * 4 > slots * 3) {
        slots *= 2;
    }
    return slots;
}

}  // namespace

std::size_t MemberTable::slot_of(std::string_view name) const {
    std::size_t slot = std::hash<std::string_view>()(name) & (slots_.size() - 1);
    while (slots_[slot] != 0 && members_[slots_[slot] - 1].name != name) {
        slot = (slot + 1) & (slots_.size() - 1);
    }
    return slot;
}

void MemberTable::rebuild(std::size_t slots) {
    slots_.assign(slots, 0);
    for (std::size_t i = 0; i < members_.size(); ++i) {
        slots_[slot_of(members_[i].name)] = static_cast<std::uint32_t>(i + 1);
    }
}

const Member* MemberTable::find(std::string_view name) const {
    if (slots_.empty()) {
        return nullptr;
    }
    const std::uint32_t position = slots_[slot_of(name)];
    return position == 0 ? nullptr : &members_[position - 1];
}

Member* MemberTable::find(std::string_view name) {
    return const_cast<Member*>(std::as_const(*this).find(name));
}

Member& MemberTable::add(Member member) {
    if (const std::size_t slots = slots_for(members_.size() + 1); slots > slots_.size()) {
        rebuild(slots);
    }
    const std::size_t slot = slot_of(member.name);
    members_.push_back(std::move(member));
    slots_[slot] = static_cast<std::uint32_t>(members_.size());
    return members_.back();
}

void MemberTable::reserve(std::size_t members) {
    members_.reserve(members);
    if (slots_for(members) > slots_.size()) {
        rebuild(slots_for(members));
    }
}

std::vector<std::string> MemberTable::forget(const std::function<bool(const Member&)>& gone) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < members_.size();) {
        if (!gone(members_[i])) {
            ++i;
            continue;
        }
        names.push_back(members_[i].name);
        if (i + 1 < members_.size()) {
            members_[i] = std::move(members_.back());
        }
        members_.pop_back();
    }
    if (!names.empty()) {
        rebuild(slots_for(members_.size()));
    }
    return names;
}

std::vector<const Member*> MemberTable::pick(
    std::size_t count, Rng& rng, const std::function<bool(const Member&)>& wanted
) const {
    std::vector<const Member*> picked;
    const auto is_new = [&](const Member* member) {
        return std::find(picked.begin(), picked.end(), member) == picked.end();
    };
    // In a large table of which most are wanted, a few draws do; else all are looked at.
    if (members_.size() >= 8 * count) {
        for (std::size_t draws = 4 * count; draws > 0 && picked.size() < count; --draws) {
            const Member& member = members_[rng.below(members_.size())];
            if (wanted(member) && is_new(&member)) {
                picked.push_back(&member);
            }
        }
    }
    if (picked.size() == count) {
        return picked;
    }
    std::vector<const Member*> others;
    for (const Member& member : members_) {
        if (wanted(member) && is_new(&member)) {
            others.push_back(&member);
        }
    }
    const std::size_t more = std::min(count - picked.size(), others.size());
    for (std::size_t i = 0; i < more; ++i) {
        std::swap(others[i], others[i + rng.below(others.size() - i)]);
        picked.push_back(others[i]);
    }
    return picked;
}

}  // namespace steelyard::gossip
