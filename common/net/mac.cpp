#include "common/net/mac.hpp"

#include <charconv>

namespace steelyard::net {

MacAddress MacAddress::broadcast() {
    return {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
}

Result<MacAddress> MacAddress::parse(std::string_view text) {
    MacAddress mac;
    bool good = text.size() == 17;
    for (std::size_t i = 0; good && i < mac.bytes.size(); ++i) {
        const std::string_view pair = text.substr(3 * i, 2);
        const auto [end, error] =
            std::from_chars(pair.data(), pair.data() + pair.size(), mac.bytes.at(i), 16);
        good = error == std::errc() && end == pair.data() + pair.size() &&
               (i == 5 || text[3 * i + 2] == ':');
    }
    if (!good) {
        return make_error(
            Errc::Invalid, "\"" + std::string(text) + "\" is not an Ethernet address"
        );
    }
    return mac;
}

std::string to_string(const MacAddress& mac) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : mac.bytes) {
        if (!text.empty()) {
            text += ':';
        }
        text += kDigits[byte >> 4U];
        text += kDigits[byte & 0xfU];
    }
    return text;
}

}  // namespace steelyard::net
