#include "controller/webhook/door.hpp"

#include "common/rt/sleep.hpp"
#include "controller/admission/body.hpp"
#include "controller/admission/conversion.hpp"
#include "controller/admission/review.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <utility>

namespace steelyard::webhook {
namespace {

using namespace std::chrono_literals;
using http_server::Request;
using http_server::Response;
using nlohmann::json;

constexpr Duration kListenAgain = 5s;
// A list of v1beta1 comes as one conversion of all its objects, 2 KiB each.
constexpr std::size_t kBodyLimit = 8U << 20U;
constexpr std::size_t kConnectionLimit = 64;  // an API server keeps one for each call at a time
constexpr Duration kRequestTimeout = 10s;     // the API's own default for webhooks

bool is_validation(const std::string& path) {
    return path == "/validate" || path.starts_with("/validate-metallb-io-") ||
           path.starts_with("/validate-steelyard-io-");
}

Response answer_with(const json& value) {
    return http_server::json_response(
        200, value.dump(-1, ' ', false, json::error_handler_t::replace)
    );
}

}  // namespace

Door::Door(
    const asio::any_io_executor& executor,
    log::Logger logger,
    Address address,
    SnapshotSource snapshot
)
    : executor_(executor),
      logger_(std::move(logger)),
      address_(std::move(address)),
      snapshot_(std::move(snapshot)),
      ready_(executor) {}

awaitable<void> Door::run() {
    while (!material_) {
        co_await ready_.wait();
    }
    for (;;) {
        auto listening = listen();
        if (listening) {
            server_ = std::move(*listening);
            break;
        }
        if (failure_ != listening.error().context) {
            failure_ = listening.error().context;
            logger_.error("the webhook cannot listen", {{"error", failure_}});
        }
        co_await rt::sleep_for(kListenAgain);
    }
    failure_.clear();
    logger_.info("the webhook answers", {{"port", std::to_string(server_->port())}});
    co_await server_->run();
}

void Door::set_certificate(const certs::KeyPair& leaf) {
    material_ = http_server::TlsMaterial{leaf.certificate, leaf.key};
    if (server_) {
        const auto taken = server_->set_tls(*material_);
        if (!taken) {
            logger_.error("the webhook keeps its certificate", {{"error", taken.error().context}});
        }
    }
    ready_.notify();
}

Result<std::unique_ptr<http_server::Server>> Door::listen() {
    http_server::ServerConfig config;
    config.listen_address = address_.listen.empty() ? "::" : address_.listen;
    config.port = address_.port;
    config.tls = material_;
    config.body_limit = kBodyLimit;
    config.connection_limit = kConnectionLimit;
    config.request_timeout = kRequestTimeout;
    config.write_timeout = kRequestTimeout;
    const http_server::Handler handler = [this](Request request) {
        return answer(std::move(request));
    };
    auto server = http_server::Server::listen(executor_, config, handler);
    if (!server && address_.listen.empty()) {  // a kernel without IPv6
        config.listen_address = "0.0.0.0";
        server = http_server::Server::listen(executor_, config, handler);
    }
    return server;
}

awaitable<Response> Door::answer(Request request) {
    const bool conversion = request.path == "/convert";
    if (!conversion && !is_validation(request.path)) {
        co_return http_server::text_response(404, "there are /validate and /convert\n");
    }
    if (request.method != "POST") {
        co_return http_server::text_response(405, "reviews come by POST\n");
    }
    if (conversion) {
        co_return convert(request);
    }
    co_return review(request);
}

Response Door::review(const Request& request) {
    const auto body = admission::read_body(request.body);
    if (!body) {
        return refuse(request, body.error());
    }
    auto snapshot = snapshot_();
    if (!snapshot) {
        admission::Snapshot nothing;
        nothing.ns = address_.ns;
        nothing.known = false;
        snapshot = std::make_shared<const admission::Snapshot>(std::move(nothing));
    }
    const auto answer = admission::review(*body, *snapshot);
    if (!answer) {
        return refuse(request, answer.error());
    }
    const auto message = answer->value(json::json_pointer("/response/status/message"), "");
    if (!message.empty()) {
        logger_.info("refused a change of the configuration", {{"because", message}});
    }
    return answer_with(*answer);
}

Response Door::convert(const Request& request) {
    const auto body = admission::read_body(request.body);
    if (!body) {
        return refuse(request, body.error());
    }
    const auto answer = admission::convert(*body);
    if (!answer) {
        return refuse(request, answer.error());
    }
    const auto message = answer->value(json::json_pointer("/response/result/message"), "");
    if (!message.empty()) {
        logger_.warn("an object cannot be converted", {{"because", message}});
    }
    return answer_with(*answer);
}

Response Door::refuse(const Request& request, const Error& error) {
    logger_.warn(
        "a webhook call is no review",
        {{"path", request.path}, {"peer", request.peer}, {"error", error.context}}
    );
    return http_server::text_response(400, error.context + "\n");
}

}  // namespace steelyard::webhook
