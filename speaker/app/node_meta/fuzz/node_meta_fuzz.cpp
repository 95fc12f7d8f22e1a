#include "speaker/app/node_meta/node_meta.hpp"

#include <cstdint>

// What another member says of itself: whatever is understood can be said again, and is understood
// the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace steelyard::speaker;
    const auto meta = decode_node_meta(std::as_bytes(std::span(data, size)));
    if (!meta) {
        return 0;
    }
    const auto bytes = encode(*meta);
    const auto back = decode_node_meta(bytes);
    if (bytes.size() > NodeMeta::kMaxBytes || !back || encode(*back) != bytes) {
        __builtin_trap();
    }
    return 0;
}
