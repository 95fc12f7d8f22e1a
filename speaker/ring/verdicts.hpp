#pragma once

#include "common/base/time.hpp"
#include "speaker/ring/ring_order.hpp"

#include <map>
#include <vector>

// The verdicts in force, by subject and by who issued them. A subject is unreachable as long as one
// of its judges says so and goes on saying so.
namespace steelyard::ring {

class Verdicts {
public:
    // Both return true when the subject's reachability changed.
    bool hold(NodeId subject, NodeId judge, Instant until);
    bool lift(NodeId subject, NodeId judge);
    // Forgets the subject altogether.
    void drop(NodeId subject);

    [[nodiscard]] bool unreachable(NodeId subject) const { return held_.contains(subject); }
    [[nodiscard]] bool held(NodeId subject, NodeId judge) const;
    // Lifts what nobody renewed; returns the subjects that are reachable by that.
    std::vector<NodeId> expire(Instant now);
    [[nodiscard]] Instant deadline() const;

private:
    struct Held {
        NodeId judge;
        Instant until;
    };
    std::map<NodeId, std::vector<Held>> held_;  // never with an empty list
};

}  // namespace steelyard::ring
