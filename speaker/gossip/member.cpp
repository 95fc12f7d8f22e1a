#include "speaker/gossip/member.hpp"

namespace steelyard::gossip {

std::string_view to_string(MemberState state) {
    switch (state) {
        case MemberState::Alive:
            return "alive";
        case MemberState::Suspect:
            return "suspect";
        case MemberState::Dead:
            return "dead";
        case MemberState::Left:
            return "left";
    }
    return "unknown";
}

std::string_view to_string(Changed::Kind kind) {
    switch (kind) {
        case Changed::Kind::Joined:
            return "joined";
        case Changed::Kind::Updated:
            return "updated";
        case Changed::Kind::Suspected:
            return "suspected";
        case Changed::Kind::Recovered:
            return "recovered";
        case Changed::Kind::Failed:
            return "failed";
        case Changed::Kind::Left:
            return "left";
    }
    return "unknown";
}

}  // namespace steelyard::gossip
