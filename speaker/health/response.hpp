#pragma once

#include <string>
#include <utility>
#include <vector>

// An answer to a health check as a value; whoever has the socket adds Content-Length and the like.
namespace steelyard::health {

struct Response {
    unsigned status = 200;
    std::string content_type;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    friend bool operator==(const Response&, const Response&) = default;
};

}  // namespace steelyard::health
