#include "common/http/server/server.hpp"

#include <algorithm>
#include <cctype>

namespace steelyard::http_server {

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

// In a query '+' stands for a space (application/x-www-form-urlencoded); in a path it does not.
bool percent_decode(std::string_view text, bool plus_is_space, std::string& out) {
    out.clear();
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            out.push_back(' ');
        } else if (text[i] != '%') {
            out.push_back(text[i]);
        } else {
            if (i + 2 >= text.size()) {
                return false;
            }
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) {
                return false;
            }
            out.push_back(static_cast<char>(high * 16 + low));
            i += 2;
        }
    }
    return true;
}

bool same_name(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return std::tolower(static_cast<unsigned char>(x)) ==
               std::tolower(static_cast<unsigned char>(y));
    });
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
    const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& entry) {
        return same_name(entry.first, name);
    });
    return found == headers.end() ? std::string_view{} : std::string_view{found->second};
}

std::string Request::query_value(std::string_view name) const {
    const auto found = query.find(std::string(name));
    return found == query.end() ? std::string{} : found->second;
}

Response text_response(unsigned status, std::string body) {
    Response response;
    response.status = status;
    response.body = std::move(body);
    return response;
}

Response json_response(unsigned status, std::string body) {
    Response response = text_response(status, std::move(body));
    response.content_type = "application/json";
    return response;
}

Result<> parse_target(Request& request) {
    const auto broken = [&] {
        return make_error(
            Errc::Invalid, "request target \"" + request.target + "\": broken percent escape"
        );
    };
    const std::string_view target = request.target;
    const std::size_t mark = target.find('?');
    if (!percent_decode(target.substr(0, mark), false, request.path)) {
        return broken();
    }
    request.query.clear();
    std::string_view rest =
        mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('&'), rest.size());
        const std::string_view pair = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (pair.empty()) {
            continue;
        }
        const std::size_t equals = std::min(pair.find('='), pair.size());
        std::string name;
        std::string value;
        if (!percent_decode(pair.substr(0, equals), true, name) ||
            !percent_decode(pair.substr(std::min(equals + 1, pair.size())), true, value)) {
            return broken();
        }
        request.query.emplace(std::move(name), std::move(value));
    }
    return {};
}

}  // namespace steelyard::http_server
