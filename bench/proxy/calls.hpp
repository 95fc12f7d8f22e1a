#pragma once

#include <cstddef>

// System calls of this program that carry messages or wait for them, counted at the C library's
// door: calls.cpp has its own send(), recvmmsg() and the like in front of it.
namespace steelyard::bench {

struct Calls {
    std::size_t sends = 0;
    std::size_t receives = 0;
    std::size_t waits = 0;
};
[[nodiscard]] const Calls& calls();

}  // namespace steelyard::bench
