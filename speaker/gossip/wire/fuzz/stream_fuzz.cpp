#include "speaker/gossip/wire/stream.hpp"

// The first byte says how the rest is cut; however that is, the outcome must be the same as when
// it is fed at once.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace steelyard;
    using namespace steelyard::gossip_wire;
    if (size == 0) {
        return 0;
    }
    Envelope envelope;
    envelope.max_stream = 1 << 16;
    envelope.max_stream_plain = 1 << 18;
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    const std::size_t step = std::size_t{data[0]} + 1;
    StreamReader whole(envelope, true);
    const auto expected = whole.feed(bytes);
    StreamReader pieces(envelope, true);
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        const auto got = pieces.feed(bytes.subspan(at, std::min(step, bytes.size() - at)));
        if (!got) {
            return 0;
        }
        if (got->has_value()) {
            if (!expected || !expected->has_value() || **got != **expected) {
                __builtin_trap();
            }
            return 0;
        }
    }
    return 0;
}
