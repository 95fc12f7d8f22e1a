#include "common/kube/watch/managed_fields.hpp"

#include <cstddef>

namespace steelyard::kube {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// Behind the closing quote of the string whose opening quote is at `at`.
std::size_t end_of_string(std::string_view text, std::size_t at) {
    for (++at; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '"') {
            return at + 1;
        }
        if (c == '\\') {
            ++at;
        } else if (static_cast<unsigned char>(c) < ' ') {
            return kNone;
        }
    }
    return kNone;
}

// Behind the array or object that begins at or after `at`; kNone for anything else.
std::size_t end_of_value(std::string_view text, std::size_t at) {
    std::string open;  // the brackets and braces that have to be closed
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '"') {
            at = end_of_string(text, at);
            if (at == kNone || open.empty()) {
                return kNone;
            }
            --at;
        } else if (c == '[' || c == '{') {
            open += c == '[' ? ']' : '}';
        } else if (c == ']' || c == '}') {
            if (open.empty() || open.back() != c) {
                return kNone;
            }
            open.pop_back();
            if (open.empty()) {
                return at + 1;
            }
        } else if ((open.empty() && c != ' ') || static_cast<unsigned char>(c) < ' ') {
            return kNone;
        }
    }
    return kNone;
}

}  // namespace

std::string_view without_managed_fields(std::string_view text, std::string& scratch) {
    constexpr std::string_view kKey = "\"managedFields\":";
    scratch.clear();
    std::size_t copied = 0;
    std::size_t from = 0;
    for (;;) {
        const std::size_t key = text.find(kKey, from);
        if (key == kNone) {
            break;
        }
        from = key + kKey.size();
        // Within a string a quote is escaped, and the one that ends a string has no colon after it
        // unless the string is a key.
        if (key > 0 && text[key - 1] == '\\') {
            continue;
        }
        const std::size_t end = end_of_value(text, from);
        if (end == kNone) {
            return text;
        }
        scratch.append(text.substr(copied, from - copied)).append("null");
        copied = end;
        from = end;
    }
    if (copied == 0) {
        return text;
    }
    scratch.append(text.substr(copied));
    return scratch;
}

}  // namespace steelyard::kube
