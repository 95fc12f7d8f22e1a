#include "speaker/plan/snapshot.hpp"

namespace steelyard::speaker_plan {

std::uint32_t address_fingerprint(const net::IpAddress& address) {
    constexpr std::uint32_t kOffset = 0x811c9dc5U;
    constexpr std::uint32_t kPrime = 0x01000193U;
    constexpr std::uint32_t kV4 = 4;
    constexpr std::uint32_t kV6 = 6;
    std::uint32_t hash = (kOffset ^ (address.is_v4() ? kV4 : kV6)) * kPrime;
    for (const std::uint8_t byte : address.bytes()) {
        hash = (hash ^ byte) * kPrime;
    }
    return hash;
}

}  // namespace steelyard::speaker_plan
