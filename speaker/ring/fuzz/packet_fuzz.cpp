#include "speaker/ring/watch_ring.hpp"

#include <array>
#include <span>

// Three doors: the header decoder and a whole ring for bytes of strangers; the body decoder for
// bytes of somebody with the key. What decodes must encode to the same bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace steelyard::ring;
    const auto bytes = std::as_bytes(std::span(data, size));
    if (const auto header = decode_header(bytes)) {
        std::array<std::byte, kHeader> back{};
        encode(*header, back);
        if (!std::equal(back.begin(), back.end(), bytes.begin())) {
            __builtin_trap();
        }
    }
    if (const auto body = decode_body(bytes)) {
        std::array<std::byte, kMaxBody> back{};
        const std::size_t written = encode(*body, back);
        if (written != size || !std::equal(bytes.begin(), bytes.end(), back.begin())) {
            __builtin_trap();
        }
    }
    static const steelyard::Instant kNow = steelyard::Instant() + std::chrono::hours(1);
    Config config;
    config.name = "self";
    WatchRing ring(config, steelyard::Rng(1), kNow);
    Actions actions;
    ring.set_peers({{"peer", {}, 1}}, kNow, actions);
    actions.clear();
    ring.on_packet({}, bytes, kNow, actions);
    // Nobody can seal without the key; the answer is one refusal and nothing else.
    if (actions.size() != 1 || !std::holds_alternative<Refused>(actions.front())) {
        __builtin_trap();
    }
    return 0;
}
