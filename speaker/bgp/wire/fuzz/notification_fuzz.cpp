#include "speaker/bgp/wire/testing.hpp"
#include "speaker/bgp/wire/text.hpp"

// Whatever a peer says before it closes: it is shown in bounded, printable UTF-8, and repeats.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace steelyard;
    using namespace steelyard::bgp_wire;
    const auto body = std::as_bytes(std::span(data, size));
    const Notification notification = decode_notification(body);
    const std::string text = to_string(notification);
    const auto shown = std::as_bytes(std::span(text));
    bool fine = text.size() < 2000 && printable(shown, shown.size()) == text;
    if (size >= 2 && size <= kMaxMessage - kHeaderSize) {
        wire::Writer out;
        encode_notification(out, notification);
        fine = fine && decode_notification(split_messages(out.view()).at(0).body) == notification;
    }
    if (!fine) {
        __builtin_trap();
    }
    return 0;
}
