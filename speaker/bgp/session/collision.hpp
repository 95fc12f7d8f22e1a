#pragma once

#include "speaker/bgp/session/connection.hpp"

// Which of two connections with one peer survives (RFC 4271 6.8): the one its dominant end dialled,
// and dominant is the higher router id, then the higher AS number (RFC 6286 2.3). Both ends come to
// the same answer.
namespace steelyard::bgp {

[[nodiscard]] Connection::Origin collision_winner(const Negotiated& negotiated);

}  // namespace steelyard::bgp
