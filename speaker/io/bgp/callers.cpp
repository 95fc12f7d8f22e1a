#include "speaker/io/bgp/callers.hpp"

#include "common/base/time.hpp"
#include "common/rt/sleep.hpp"
#include "speaker/bgp/wire/framer.hpp"
#include "speaker/bgp/wire/message.hpp"
#include "speaker/bgp/wire/open.hpp"

#include <array>
#include <chrono>
#include <span>

namespace steelyard::io {

using namespace std::chrono_literals;

namespace {

// The rest of a cut OPEN does not wake who has not read its beginning.
constexpr Duration kAgain = 50ms;
constexpr int kLooks = 60;

std::optional<std::uint32_t> as_of(const bgp_wire::Frame& frame) {
    if (frame.type != bgp_wire::MessageType::Open) {
        return std::nullopt;
    }
    const auto open = bgp_wire::decode_open(frame.body);
    const auto* good = std::get_if<bgp_wire::Open>(&open);
    return good == nullptr ? std::nullopt : std::optional(good->asn);
}

}  // namespace

awaitable<std::optional<std::uint32_t>> peek_as(asio::ip::tcp::socket& socket) {
    std::array<std::byte, bgp_wire::kMaxMessage> bytes;
    for (int look = 0; look < kLooks; ++look) {
        const auto [wait_error] =
            co_await socket.async_wait(asio::ip::tcp::socket::wait_read, kAwait);
        if (wait_error) {
            break;
        }
        boost::system::error_code ec;
        const std::size_t size =
            socket.receive(asio::buffer(bytes), asio::socket_base::message_peek, ec);
        if (ec) {
            break;
        }
        bgp_wire::Framer framer;
        framer.push(std::span(bytes).first(size));
        const auto next = framer.next(bgp_wire::kMaxMessage);
        if (const auto* frame = std::get_if<bgp_wire::Frame>(&next)) {
            co_return as_of(*frame);
        }
        if (std::holds_alternative<bgp_wire::Notification>(next)) {
            break;
        }
        co_await rt::sleep_for(kAgain);
    }
    co_return std::nullopt;
}

}  // namespace steelyard::io
