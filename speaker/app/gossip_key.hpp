#pragma once

#include "common/base/error.hpp"
#include "speaker/gossip/wire/crypto.hpp"

#include <string>

namespace steelyard::speaker {

// The gossip keys from the mounted Secret, each turned into a key as MetalLB's speakers do, so that
// both may be in one ring. The file `secretkey` in `folder` seals; it and every `secretkey-...`
// beside it open. So a key is replaced by adding the new one to all nodes under such a name,
// swapping the two, and taking the old one away. An empty or unreadable file is an error.
[[nodiscard]] Result<gossip_wire::KeyRing> load_gossip_keys(const std::string& folder);

}  // namespace steelyard::speaker
