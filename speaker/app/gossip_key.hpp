#pragma once

#include "common/base/error.hpp"
#include "speaker/gossip/wire/crypto.hpp"

#include <string>

namespace steelyard::speaker {

// The gossip key from the mounted Secret: the file `secretkey` in `folder`, turned into a key as
// MetalLB's speakers do, so that both may be in one ring. An empty or unreadable file is an error.
[[nodiscard]] Result<gossip_wire::KeyRing> load_gossip_keys(const std::string& folder);

}  // namespace steelyard::speaker
