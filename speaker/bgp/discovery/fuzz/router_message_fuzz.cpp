#include "common/base/check.hpp"
#include "speaker/bgp/discovery/discovery.hpp"

// Any ICMPv6 body from a link-local source: only an advertisement names a neighbour, everything is
// counted once, and what leaves is always valid.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace steelyard;
    const auto message = std::as_bytes(std::span(data, size));
    const auto source = net::IpAddress::parse("fe80::1").value();
    const Instant now = Instant{} + std::chrono::hours(1);
    bgp_discovery::Discovery discovery({}, Rng(1), now);
    const bool found = discovery.on_packet(message, source, 255, now);
    const auto decoded = bgp_discovery::decode(message, source, 255);
    const bool advertisement = decoded.refusal == bgp_discovery::Refusal::None &&
                               decoded.type == bgp_discovery::RouterMessage::Advertisement;
    SY_CHECK(found == advertisement, "found by advertisements only");
    SY_CHECK(found == discovery.neighbour().has_value(), "found means known");
    SY_CHECK(!discovery.on_packet(message, source, 64, now), "the hop limit is law");
    std::vector<bgp_discovery::Packet> out;
    discovery.on_deadline(now, out);
    for (const auto& packet : out) {
        const auto ours = bgp_discovery::decode(packet.bytes, source, 255);
        SY_CHECK(ours.refusal == bgp_discovery::Refusal::None, "we send what we accept");
    }
    return 0;
}
