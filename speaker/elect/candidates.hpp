#pragma once

#include "speaker/elect/elect.hpp"

#include <compare>
#include <optional>
#include <vector>

// Who may own an address, and how candidates compare before any hash does. Private to the room.
namespace steelyard::elect {

// The rules that MetalLB applies too: the first five of Reason.
[[nodiscard]] std::optional<Reason> metallb_exclusion(
    const Facts& facts, const Question& question, NodeIndex node
);

// Greater is better.
struct Merit {
    std::uint32_t local_services = 0;
    int standing = 0;
    std::int32_t preference = 0;
    friend auto operator<=>(const Merit&, const Merit&) = default;
};
// In MetalLB's order standing does not count.
[[nodiscard]] Merit merit_of(const Facts& facts, const Question& question, NodeIndex node);

// Nodes that are candidates when there is no other: a verdict or an overflow that leaves nobody
// would only make the address dark, while such a node may well serve it. In our order only.
[[nodiscard]] bool is_last_resort(const Facts& facts, const Question& question, NodeIndex node);

// The candidates of greatest merit, among whom only the hash decides; ascending. Most questions
// with the same fits have the same ones, so those are found once.
class BestCandidates {
public:
    // `facts` must outlive it.
    explicit BestCandidates(const Facts& facts);
    // The reference is good until the next call.
    [[nodiscard]] const std::vector<NodeIndex>& of(const Question& question);

private:
    // Without regard to what a single address adds.
    [[nodiscard]] const std::vector<NodeIndex>& common(const Question& question);
    void offer_all(const Question& question);
    void offer(const Question& question, NodeIndex node, bool last_resort);

    const Facts& facts_;
    std::vector<std::optional<std::vector<NodeIndex>>> common_;  // by fits
    std::vector<NodeIndex> best_;
    Merit top_;
};

}  // namespace steelyard::elect
