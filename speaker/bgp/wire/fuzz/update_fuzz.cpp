#include "speaker/bgp/wire/loose_update.hpp"
#include "speaker/bgp/wire/update.hpp"

#include <cstring>

// The first octet is the context, the rest the body of an UPDATE. Half of the mutations take the
// message apart and break it where broken speakers do.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" std::size_t LLVMFuzzerCustomMutator(
    std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed
) {
    using namespace steelyard;
    using namespace steelyard::bgp_wire;
    if (size < 5 || seed % 2 == 0) {
        return LLVMFuzzerMutate(data, size, most);
    }
    Rng rng(seed);
    LooseUpdate loose = take_apart(std::as_bytes(std::span(data, size)).subspan(1));
    mutate(loose, rng);
    const wire::Bytes body = put_together(loose);
    if (body.empty() || body.size() + 1 > most) {
        return size;
    }
    std::memcpy(data + 1, body.data(), body.size());
    return body.size() + 1;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace steelyard::bgp_wire;
    if (size == 0) {
        return 0;
    }
    const unsigned bits = data[0];
    const UpdateContext context{
        (bits & 1U) != 0, (bits & 2U) != 0, (bits & 4U) != 0, (bits & 8U) != 0, (bits & 16U) != 0};
    const auto body = std::as_bytes(std::span(data, size)).subspan(1);
    const UpdateSummary summary = decode_update(body, context);
    const bool consistent =
        summary.reset.has_value() == (summary.verdict == Verdict::Reset) &&
        summary.why.empty() == (summary.verdict == Verdict::Accept) && summary.why.size() < 200 &&
        (!summary.end_of_rib || summary.verdict == Verdict::Accept) &&
        (summary.v4.disabled || summary.v6.disabled) <= (summary.verdict == Verdict::DisableFamily);
    if (!consistent) {
        __builtin_trap();
    }
    return 0;
}
