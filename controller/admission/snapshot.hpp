#pragma once

#include "common/config/config.hpp"

#include <string>

// What a verdict rests on: the configuration as this replica knows it, all of it, and where it has
// to lie. Immutable: shared as shared_ptr<const Snapshot>.
namespace steelyard::admission {

struct Snapshot {
    config::Objects objects;  // without a scope: nodes are not known to the controller
    std::string ns;           // the daemons' own namespace; objects elsewhere count for nothing
    bool known = true;        // false: just started, `objects` is empty for want of knowing better
};

}  // namespace steelyard::admission
