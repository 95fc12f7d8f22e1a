#include "common/base/check.hpp"
#include "speaker/l2/responder.hpp"

#include <memory>

// Any frame: the codecs must round-trip what they accept, the responder must survive it and answer
// with frames its own codec accepts.
namespace {

using namespace steelyard;

l2::Responder make_responder() {
    l2::Responder responder;
    responder.set_ports({{1, "eth0", {{2, 0, 0, 0, 0, 0xaa}}, true, true}});
    l2::Announcements announcements;
    announcements[net::IpAddress::parse("192.0.2.10").value()] = {};
    announcements[net::IpAddress::parse("2001:db8::10").value()] = {};
    responder.set_announcements(std::make_shared<const l2::Announcements>(announcements));
    return responder;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static l2::Responder responder = make_responder();
    const auto frame = std::as_bytes(std::span(data, size));
    if (const auto packet = l2::decode_arp(frame)) {
        SY_CHECK(l2::decode_arp(l2::encode_arp(*packet).view()) == packet, "ARP round trip");
    }
    if (const auto packet = l2::decode_ndp(frame)) {
        SY_CHECK(l2::decode_ndp(l2::encode_ndp(*packet).view()) == packet, "NDP round trip");
    }
    l2::Actions out;
    responder.on_frame(1, frame, Instant{}, out);
    SY_CHECK(out.size() <= 1, "one frame, one answer");
    for (const l2::Action& action : out) {
        if (const auto* send = std::get_if<l2::Send>(&action)) {
            const auto view = send->frame.view();
            SY_CHECK(l2::decode_arp(view) || l2::decode_ndp(view), "the answer is well formed");
        }
    }
    return 0;
}
