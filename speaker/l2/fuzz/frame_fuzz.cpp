#include "common/base/check.hpp"
#include "speaker/l2/arp.hpp"
#include "speaker/l2/echo.hpp"
#include "speaker/l2/ndp.hpp"
#include "speaker/l2/station.hpp"

#include <memory>
#include <vector>

// Any frame: the codecs must round-trip what they accept; the station must survive it, answer with
// frames its own codecs accept, count what leads to nothing and own afterwards what it owned
// before.
namespace {

using namespace steelyard;

constexpr Instant kNow = Instant{} + std::chrono::hours(1);

struct Node {
    Rng rng{1};
    l2::Station station{{}, rng};

    Node() {
        station.set_ports({{1, "eth0", {{2, 0, 0, 0, 0, 0xaa}}, true, true}}, Instant{});
        l2::Announcements announcements;
        announcements[net::IpAddress::parse("192.0.2.10").value()].echo = true;
        announcements[net::IpAddress::parse("2001:db8::10").value()].echo = true;
        station.set_announcements(
            std::make_shared<const l2::Announcements>(announcements), Instant{}
        );
    }
};

void check_codecs(std::span<const std::byte> frame) {
    if (const auto packet = l2::decode_arp(frame)) {
        SY_CHECK(l2::decode_arp(l2::encode_arp(*packet).view()) == *packet, "ARP round trip");
    }
    if (const auto packet = l2::decode_ndp(frame)) {
        SY_CHECK(l2::decode_ndp(l2::encode_ndp(*packet).view()) == *packet, "NDP round trip");
    }
    if (const auto request = l2::decode_echo_request(frame)) {
        const l2::Frame reply = l2::encode_echo_reply({}, *request);
        SY_CHECK(reply.size() <= frame.size(), "an echo never grows");
        // A reply is a request but for its type.
        SY_CHECK(l2::decode_echo_request(reply.view()).why() == l2::Drop::NotForUs, "valid reply");
    }
}

// A frame is answered by at most a packet and a report.
void check_answer(const l2::Actions& actions) {
    SY_CHECK(actions.size() <= 2, "one frame, one answer");
    for (const l2::Action& action : actions) {
        const auto* send = std::get_if<l2::Send>(&action);
        if (send == nullptr) {
            continue;
        }
        const auto view = send->frame.view();
        const bool echo = l2::decode_echo_request(view).why() == l2::Drop::NotForUs;
        SY_CHECK(l2::decode_arp(view) || l2::decode_ndp(view) || echo, "the answer is well formed");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Node node;
    const auto frame = std::as_bytes(std::span(data, size));
    check_codecs(frame);
    const std::uint64_t dropped = node.station.drops().total();
    l2::Actions out;
    node.station.on_frame(1, frame, kNow, out);
    check_answer(out);
    SY_CHECK(out.empty() || node.station.drops().total() == dropped, "dropped or answered");
    const auto& ports = node.station.ownership().ports();
    SY_CHECK(node.station.ownership().answered(ports[0], true).size() == 2, "owned as before");
    return 0;
}
