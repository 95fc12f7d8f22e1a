#include "common/kube/watch/query.hpp"

#include <string_view>

namespace steelyard::kube {
namespace {

void append_encoded(std::string& out, std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    constexpr std::string_view kUnreservedMarks = "-._~";
    for (const char c : text) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool digit = c >= '0' && c <= '9';
        if (letter || digit || kUnreservedMarks.find(c) != std::string_view::npos) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += kHex[byte >> 4U];
        out += kHex[byte & 0xFU];
    }
}

}  // namespace

std::string encode_query(const std::map<std::string, std::string>& query) {
    std::string result;
    for (const auto& [key, value] : query) {
        if (!result.empty()) {
            result += '&';
        }
        append_encoded(result, key);
        result += '=';
        append_encoded(result, value);
    }
    return result;
}

}  // namespace steelyard::kube
