#include "common/http/client/parser.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

// Any bytes, cut anywhere: whether they are an answer, and which, must not depend on the cut. (When
// a bad one is noticed may: at its bytes or at the end of the connection.)
namespace {

std::string outcome(std::string_view bytes, std::size_t cut) {
    steelyard::http_client::ResponseParser parser(1U << 16U);
    const auto first = parser.feed(bytes.substr(0, cut));
    const auto second = first ? parser.feed(bytes.substr(cut)) : first;
    if (!second || !parser.feed_end()) {
        return "error";
    }
    return std::to_string(parser.head().status) + " " + parser.take_body();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t cut = data[0] * bytes.size() / 256;
    if (outcome(bytes, 0) != outcome(bytes, cut)) {
        std::abort();
    }
    return 0;
}
