#include "speaker/gossip/wire/packet.hpp"

// The packet decoder below the label and above the membership core: whatever comes out must encode
// to something that decodes to itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace steelyard::gossip_wire;
    static const Envelope kEnvelope;
    const auto opened = open_packet(kEnvelope, std::as_bytes(std::span(data, size)));
    if (!opened) {
        return 0;
    }
    for (const PacketMessage& message : opened->messages) {
        const auto bytes = std::visit([](const auto& value) { return encode(value); }, message);
        const auto back = decode_packet_message(bytes);
        if (!back || *back != message) {
            __builtin_trap();
        }
    }
    return 0;
}
