#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// Remembers the nonces of sealed input, so that bytes recorded on the wire and sent again are
// known. memberlist draws 96 random bits for each packet; 64 of them are kept. Fixed size: the last
// 65536 or so, which is ten minutes and more of gossip. What is older can only tell news that
// incarnation numbers have overtaken.
namespace steelyard::gossip_wire {

class ReplayFilter {
public:
    // True the first time; false when this nonce was seen before. At least 8 bytes. Ask only about
    // input that was opened, or anybody could fill the memory.
    bool admit(std::span<const std::byte> nonce);

private:
    static constexpr std::size_t kWays = 4;
    static constexpr std::size_t kSets = std::size_t{1} << 14U;
    using Set = std::array<std::uint64_t, kWays>;  // newest first
    std::vector<Set> sets_;                        // allocated with the first nonce
};

}  // namespace steelyard::gossip_wire
