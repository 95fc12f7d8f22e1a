#include "common/http/client/parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/optional.hpp>

#include <cstdint>
#include <utility>

namespace steelyard::http_client {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

std::string text(string_view view) {
    return {view.data(), view.size()};
}

}  // namespace

// Collects what Beast's parser finds. Its callbacks may not throw; only allocation could.
class ResponseParser::Beast final : public http::basic_parser<false> {
public:
    ResponseHead head;
    std::string body;

private:
    void
    on_request_impl(http::verb, string_view /*method*/, string_view /*target*/, int, error_code&)
        override {}
    void on_response_impl(int code, string_view /*reason*/, int /*version*/, error_code& ec)
        override {
        head.status = static_cast<unsigned>(code);
        ec = {};
    }
    void on_field_impl(http::field, string_view name, string_view value, error_code& ec) override {
        head.headers.emplace_back(text(name), text(value));
        ec = {};
    }
    void on_header_impl(error_code& ec) override { ec = {}; }
    void on_body_init_impl(boost::optional<std::uint64_t> const& /*length*/, error_code& ec)
        override {
        ec = {};
    }
    std::size_t on_body_impl(string_view bytes, error_code& ec) override {
        body.append(bytes.data(), bytes.size());
        ec = {};
        return bytes.size();
    }
    void on_chunk_header_impl(std::uint64_t /*size*/, string_view /*extensions*/, error_code& ec)
        override {
        ec = {};
    }
    std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, string_view bytes, error_code& ec)
        override {
        return on_body_impl(bytes, ec);
    }
    void on_finish_impl(error_code& ec) override { ec = {}; }
};

ResponseParser::ResponseParser(std::size_t body_limit) : body_limit_(body_limit) {
    begin();
}

ResponseParser::~ResponseParser() = default;

void ResponseParser::begin() {
    constexpr std::uint32_t kHeadLimit = 64U << 10U;
    beast_ = std::make_unique<Beast>();
    beast_->eager(true);
    beast_->header_limit(kHeadLimit);
    if (body_limit_ == 0) {
        beast_->body_limit(boost::none);
    } else {
        beast_->body_limit(body_limit_);
    }
}

Result<> ResponseParser::feed(std::string_view bytes) {
    started_ = started_ || !bytes.empty();
    pending_.append(bytes);
    auto parsed = parse();
    // RFC 9110 15.2: interim answers precede the final one.
    while (parsed && beast_->is_done() && beast_->head.status < 200) {
        begin();
        parsed = parse();
    }
    return parsed;
}

Result<> ResponseParser::parse() {
    std::size_t used = 0;
    Result<> result;
    while (!beast_->is_done() && used < pending_.size()) {
        error_code ec;
        const auto rest = boost::asio::buffer(pending_.data() + used, pending_.size() - used);
        const std::size_t consumed = beast_->put(rest, ec);
        used += consumed;
        if (ec == http::error::need_more) {
            break;
        }
        if (ec == http::error::body_limit) {
            result = make_error(
                Errc::Invalid, "answer of more than " + std::to_string(body_limit_) + " bytes"
            );
            break;
        }
        if (ec) {
            result = make_error(Errc::Internal, "malformed HTTP answer: " + ec.message());
            break;
        }
        if (consumed == 0) {
            break;
        }
    }
    pending_.erase(0, used);
    return result;
}

Result<> ResponseParser::feed_end() {
    if (beast_->is_done()) {
        return {};
    }
    error_code ec;
    if (beast_->got_some()) {
        beast_->put_eof(ec);
    } else {
        ec = http::error::end_of_stream;
    }
    if (ec) {
        return make_error(Errc::Unavailable, "the server closed the connection too early");
    }
    return {};
}

bool ResponseParser::head_done() const {
    return beast_->is_header_done() && beast_->head.status >= 200;
}

bool ResponseParser::done() const {
    return beast_->is_done();
}

bool ResponseParser::keep_alive() const {
    return done() && beast_->keep_alive() && pending_.empty();
}

const ResponseHead& ResponseParser::head() const {
    return beast_->head;
}

std::string ResponseParser::take_body() {
    return std::exchange(beast_->body, {});
}

}  // namespace steelyard::http_client
