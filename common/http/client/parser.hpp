#pragma once

#include "common/base/error.hpp"
#include "common/http/client/client.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

// Private to http/client: one response from bytes (RFC 9112: Content-Length, chunked, or up to the
// end of the connection). No I/O; the head and every header are bounded.
namespace steelyard::http_client {

class ResponseParser {
public:
    // body_limit 0: none, for streams whose reader takes the body as it comes.
    explicit ResponseParser(std::size_t body_limit);
    ~ResponseParser();

    // Errors are final: Internal for what is not HTTP, Invalid for a body over the limit.
    Result<> feed(std::string_view bytes);
    // The connection ended; an error when the response is not complete by that.
    Result<> feed_end();

    [[nodiscard]] bool head_done() const;
    [[nodiscard]] bool done() const;
    [[nodiscard]] bool started() const { return started_; }
    // Another request may follow on this connection.
    [[nodiscard]] bool keep_alive() const;
    [[nodiscard]] const ResponseHead& head() const;
    // The body decoded so far and not taken yet.
    [[nodiscard]] std::string take_body();

private:
    class Beast;
    Result<> parse();
    void begin();

    std::size_t body_limit_;
    bool started_ = false;
    std::string pending_;  // not consumed yet
    std::unique_ptr<Beast> beast_;
};

}  // namespace steelyard::http_client
