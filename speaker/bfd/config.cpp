#include "speaker/bfd/config.hpp"

#include <tuple>

namespace steelyard::bfd {

bool same_session(const SessionConfig& one, const SessionConfig& other) {
    const auto identity = [](const SessionConfig& config) {
        return std::tie(config.remote, config.local, config.interface, config.vrf, config.multihop);
    };
    return identity(one) == identity(other);
}

}  // namespace steelyard::bfd
