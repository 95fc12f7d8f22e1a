#pragma once

#include "common/base/rng.hpp"
#include "speaker/gossip/member.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

// All members we know, the dead ones included until they are forgotten. Pointers it hands out are
// good until the next add() or forget(). The index by name is open addressing over positions:
// a few bytes a member, which counts where thousands of tables live in one simulator.
namespace steelyard::gossip {

class MemberTable {
public:
    Member* find(std::string_view name);
    [[nodiscard]] const Member* find(std::string_view name) const;
    Member& add(Member member);
    void reserve(std::size_t members);
    // Drops members the predicate names; returns their names.
    std::vector<std::string> forget(const std::function<bool(const Member&)>& gone);
    // Up to `count` different members that are wanted, in random order.
    std::vector<const Member*> pick(
        std::size_t count, Rng& rng, const std::function<bool(const Member&)>& wanted
    ) const;

    [[nodiscard]] std::size_t size() const { return members_.size(); }
    [[nodiscard]] const std::vector<Member>& all() const { return members_; }

private:
    // The slot that holds this name, or the free one where it would go.
    [[nodiscard]] std::size_t slot_of(std::string_view name) const;
    void rebuild(std::size_t slots);

    std::vector<Member> members_;
    std::vector<std::uint32_t> slots_;  // position + 1; 0 is free; a power of two, at most 3/4 full
};

}  // namespace steelyard::gossip
