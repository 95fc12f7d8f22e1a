#include "speaker/bgp/wire/open.hpp"
#include "speaker/bgp/wire/testing.hpp"

// An OPEN that is accepted can be said again, and then means the same; what is only read (codes
// skipped, ADD-PATH) aside.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace steelyard;
    using namespace steelyard::bgp_wire;
    const auto decoded = decode_open(std::as_bytes(std::span(data, size)));
    if (const auto* refused = std::get_if<Notification>(&decoded)) {
        return is(*refused, ErrorCode::Open) ? 0 : (__builtin_trap(), 0);
    }
    Open open = std::get<Open>(decoded);
    Capabilities& capabilities = open.capabilities;
    capabilities.unknown.clear();
    capabilities.add_path = false;
    if (!capabilities.v4_unicast && !capabilities.v6_unicast) {
        capabilities.multiprotocol = false;
    }
    wire::Writer out;
    encode_open(out, open);
    const auto back = decode_open(split_messages(out.view()).at(0).body);
    if (!std::holds_alternative<Open>(back) || std::get<Open>(back) != open) {
        __builtin_trap();
    }
    return 0;
}
