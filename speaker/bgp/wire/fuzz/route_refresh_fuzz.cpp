#include "speaker/bgp/wire/route_refresh.hpp"
#include "speaker/bgp/wire/testing.hpp"

// What is understood can be said again; what is refused is reported whole.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace steelyard;
    using namespace steelyard::bgp_wire;
    const auto body = std::as_bytes(std::span(data, std::min<std::size_t>(size, 65000)));
    const auto decoded = decode_route_refresh(body);
    if (const auto* refused = std::get_if<Notification>(&decoded)) {
        return refused->data.size() == body.size() + kHeaderSize ? 0 : (__builtin_trap(), 0);
    }
    const auto& refresh = std::get<std::optional<RouteRefresh>>(decoded);
    if (!refresh) {
        return 0;
    }
    wire::Writer out;
    encode_route_refresh(out, *refresh);
    const auto back = decode_route_refresh(split_messages(out.view()).at(0).body);
    if (std::get<std::optional<RouteRefresh>>(back) != refresh) {
        __builtin_trap();
    }
    return 0;
}
