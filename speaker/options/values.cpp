#include "speaker/options/values.hpp"

#include <algorithm>
#include <charconv>

namespace steelyard::speaker {

Error bad_value(std::string_view name, std::string_view value, std::string_view wanted) {
    return make_error(
        Errc::Invalid,
        std::string(name) + ": \"" + std::string(value) + "\" is not " + std::string(wanted)
    );
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    unsigned port = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, port);
    if (error != std::errc() || rest != end || port == 0 || port > 65535) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(port);
}

std::optional<net::Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
    if (const auto address = net::IpAddress::parse(text)) {
        return net::Endpoint{*address, default_port};
    }
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view host = text.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) {
        host = host.substr(1, host.size() - 2);
    }
    const auto address = net::IpAddress::parse(host);
    const auto port = parse_port(text.substr(colon + 1));
    if (!address || !port || bracketed == address->is_v4()) {
        return std::nullopt;
    }
    return net::Endpoint{*address, *port};
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        std::string_view word = text.substr(0, comma);
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
        const std::size_t first = word.find_first_not_of(' ');
        const std::size_t last = word.find_last_not_of(' ');
        words.emplace_back(
            first == std::string_view::npos ? "" : word.substr(first, last - first + 1)
        );
    }
    return words;
}

std::optional<Cidrs> parse_cidrs(const std::vector<std::string>& texts) {
    Cidrs cidrs;
    for (const std::string& text : texts) {
        const auto prefix = net::Prefix::parse(text);
        if (!prefix) {
            return std::nullopt;
        }
        cidrs.push_back(*prefix);
    }
    return cidrs;
}

bool is_interface_name(std::string_view text) {
    constexpr std::size_t kMost = 15;  // IFNAMSIZ without its end
    return !text.empty() && text.size() <= kMost && text != "." && text != ".." &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
           });
}

}  // namespace steelyard::speaker
