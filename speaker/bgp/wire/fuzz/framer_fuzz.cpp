#include "speaker/bgp/wire/framer.hpp"

#include <vector>

// The first octet says how the stream is cut; the messages and the refusal must be those of the
// stream in one piece, and nothing is held beyond one message.
namespace {

using namespace steelyard::bgp_wire;

struct Outcome {
    std::vector<std::size_t> bodies;
    bool refused = false;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

void drain(Framer& framer, Outcome& outcome) {
    while (true) {
        const auto next = framer.next(kMaxMessage);
        if (const auto* frame = std::get_if<Frame>(&next)) {
            outcome.bodies.push_back(frame->body.size());
            continue;
        }
        outcome.refused = std::holds_alternative<Notification>(next);
        if (framer.held() >= kMaxMessage) {
            __builtin_trap();
        }
        return;
    }
}

Outcome cut(std::span<const std::byte> stream, std::size_t step) {
    Framer framer;
    Outcome outcome;
    for (std::size_t at = 0; at < stream.size(); at += step) {
        framer.push(stream.subspan(at, std::min(step, stream.size() - at)));
        drain(framer, outcome);
    }
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const auto stream = std::as_bytes(std::span(data, size)).subspan(1);
    if (cut(stream, std::size_t{data[0]} + 1) != cut(stream, stream.size())) {
        __builtin_trap();
    }
    return 0;
}
