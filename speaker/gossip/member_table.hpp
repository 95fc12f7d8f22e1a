#pragma once

#include "common/base/rng.hpp"
#include "speaker/gossip/member.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

// All members we know, the dead ones included until they are forgotten. Pointers it hands out are
// good until the next add() or forget().
namespace steelyard::gossip {

class MemberTable {
public:
    Member* find(const std::string& name);
    [[nodiscard]] const Member* find(const std::string& name) const;
    Member& add(Member member);
    // Drops members the predicate names; returns their names.
    std::vector<std::string> forget(const std::function<bool(const Member&)>& gone);
    // Up to `count` different members that are wanted, in random order.
    std::vector<const Member*> pick(
        std::size_t count, Rng& rng, const std::function<bool(const Member&)>& wanted
    ) const;

    [[nodiscard]] std::size_t size() const { return members_.size(); }
    [[nodiscard]] const std::vector<Member>& all() const { return members_; }

private:
    std::vector<Member> members_;
    std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace steelyard::gossip
