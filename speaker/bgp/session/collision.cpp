#include "speaker/bgp/session/collision.hpp"

#include <utility>

namespace steelyard::bgp {

Connection::Origin collision_winner(const Negotiated& negotiated) {
    const std::pair local{negotiated.local_router_id, negotiated.local_asn};
    const std::pair remote{negotiated.remote_router_id, negotiated.remote_asn};
    return local > remote ? Connection::Origin::Dialled : Connection::Origin::Accepted;
}

}  // namespace steelyard::bgp
