#include "speaker/bgp/session/script.hpp"

// Any events, with any bytes from the peer: script.hpp tells how the input is read and what must
// hold after each step.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)steelyard::bgp::Script(std::as_bytes(std::span(data, size))).run();
    return 0;
}
