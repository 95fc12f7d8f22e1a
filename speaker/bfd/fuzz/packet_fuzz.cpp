#include "speaker/bfd/session_table.hpp"

#include <algorithm>
#include <array>

// Whatever arrives at the sockets: control packets one after the other on a table with sessions,
// the clock moving in between, and the same bytes as an echo. What decodes must encode to the same
// bytes, and no packet may make anybody due
// without end.
namespace {

using namespace steelyard;
using namespace steelyard::bfd;

void check_codec(std::span<const std::byte> bytes) {
    const auto decoded = decode(bytes);
    const auto* packet = std::get_if<ControlPacket>(&decoded);
    if (packet == nullptr) {
        return;
    }
    const PacketBytes back = encode(*packet);
    for (std::size_t i = 0; i < back.size(); ++i) {
        if (i != 3 && back[i] != bytes[i]) {  // the length may cover an authentication section
            __builtin_trap();
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    SessionTable table(Rng(1));
    Instant now = Instant() + std::chrono::hours(1);
    Actions out;
    SessionConfig config;
    config.key = "a";
    config.remote = net::IpAddress::v4(0x0a000001);
    config.profile.echo = true;
    table.set_sessions({config}, now, out);
    Arrival arrival;
    arrival.from = config.remote;
    arrival.ttl = 255;
    const auto ours = static_cast<std::uint32_t>(table.keys().front().second);
    for (std::size_t at = 0; at < bytes.size(); at += kPacketSize) {
        const auto rest = bytes.subspan(at, std::min(kPacketSize, bytes.size() - at));
        check_codec(rest);
        table.on_packet(arrival, rest, now, out);
        PacketBytes known{};
        std::copy(rest.begin(), rest.end(), known.begin());
        for (std::size_t i = 0; i < 4; ++i) {
            known[8 + i] = static_cast<std::byte>(ours >> (8 * (3 - i)));
        }
        table.on_packet(arrival, known, now, out);
        for (int i = 0; i < 3 && table.next_deadline() != Instant::max(); ++i) {
            now = std::max(now, table.next_deadline());
            table.on_deadline(now, out);  // comes back, or libFuzzer's timeout says so
        }
        out.clear();
    }
    if (const auto echo = parse_echo_datagram(bytes)) {
        table.on_echo(*echo, now, out);
    }
    return 0;
}
