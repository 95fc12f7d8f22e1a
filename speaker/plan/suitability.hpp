#pragma once

#include "speaker/elect/elect.hpp"
#include "speaker/plan/snapshot.hpp"

#include <map>
#include <string>
#include <vector>

// How nodes suit addresses by the L2Advertisements alone. Many addresses share the same
// advertisements, so the answer is kept per set of them. Private to the room.
namespace steelyard::speaker_plan {

struct Coverage {
    std::vector<const config::L2Advertisement*> advertisements;
    std::vector<elect::Fit> fits;  // one a node, in the order they were added
    // Interfaces this node may announce on; all of them if some advertisement names none.
    bool all_interfaces = false;
    std::vector<std::string> interfaces;
};

class Suitability {
public:
    // `snapshot` must outlive it.
    explicit Suitability(const Snapshot& snapshot) : snapshot_(snapshot) {}

    // All nodes are added before the first question.
    void add_node(const kube::Node& node, const MemberView* member);
    // By the advertisements of the pool that cover at least one of the Services.
    [[nodiscard]] const Coverage& coverage(
        const std::string& pool, const std::vector<const kube::Service*>& services
    );
    // Names of this node's interfaces that are allowed and can do the family, sorted.
    [[nodiscard]] std::vector<std::string> usable_here(const Coverage& coverage, net::Family family)
        const;

private:
    struct Candidate {
        const kube::Node* node;
        const MemberView* member;  // null: not in the ring
    };
    [[nodiscard]] Coverage compute(std::vector<const config::L2Advertisement*> advertisements
    ) const;
    [[nodiscard]] static elect::Fit fit(
        const Candidate& candidate,
        const std::vector<const config::L2Advertisement*>& advertisements
    );

    const Snapshot& snapshot_;
    std::vector<Candidate> candidates_;
    std::map<std::vector<const config::L2Advertisement*>, Coverage> known_;
};

}  // namespace steelyard::speaker_plan
