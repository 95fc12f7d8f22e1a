#include "e2e/apiserver/webhook/call_out.hpp"

#include "common/http/client/client.hpp"
#include "common/rt/sleep.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace steelyard::apiserver {

namespace {

using boost::asio::experimental::awaitable_operators::operator||;

constexpr const char* kTimedOut = "context deadline exceeded";

bool tells(const std::string& text, const char* what) {
    return text.find(what) != std::string::npos;
}

// From our client's sentence to the one an operator of Kubernetes knows.
std::string in_go_words(const Error& error, const HookCall& call) {
    const std::string& text = error.context;
    const bool v6 = call.host.find(':') != std::string::npos;
    const std::string where =
        (v6 ? "[" + call.host + "]" : call.host) + ":" + std::to_string(call.port);
    if (is(error, Errc::Timeout)) {
        return kTimedOut;
    }
    if (tells(text, "refused")) {
        return "dial tcp " + where + ": connect: connection refused";
    }
    if (tells(text, "No route to host")) {
        return "dial tcp " + where + ": connect: no route to host";
    }
    if (tells(text, "resolve ")) {
        return "dial tcp: lookup " + call.host + ": no such host";
    }
    if (tells(text, "mismatch")) {
        return "tls: failed to verify certificate: x509: certificate is not valid for " +
               call.tls_name;
    }
    if (tells(text, "expired") || tells(text, "not yet valid")) {
        return "tls: failed to verify certificate: x509: certificate has expired or is not yet "
               "valid";
    }
    if (tells(text, "certificate not accepted")) {
        return "tls: failed to verify certificate: x509: certificate signed by unknown authority";
    }
    return tells(text, "end of") || tells(text, "partial") ? "EOF" : text;
}

awaitable<void> attempt(
    http_client::Client& client,
    http_client::Request request,
    const HookCall& call,
    HookAnswer& answer
) {
    auto response = co_await client.send(std::move(request));
    if (response) {
        answer.problem.clear();
        answer.status = response->head.status;
        answer.body = std::move(response->body);
    } else {
        answer.problem = in_go_words(response.error(), call);
    }
}

}  // namespace

awaitable<HookAnswer> call_out(HookCall call) {
    HookAnswer answer;
    http_client::TlsOptions options;
    options.ca = call.ca;
    auto context = http_client::make_tls_context(options);
    if (!context) {
        answer.problem = "unable to load root certificates: " + context.error().context;
        co_return answer;
    }
    http_client::Server server;
    server.host = call.host;
    server.port = call.port;
    server.tls = std::move(*context);
    server.tls_name = call.tls_name;
    http_client::Limits limits;
    limits.connect = call.timeout;
    limits.handshake = call.timeout;
    limits.response = call.timeout;
    http_client::Client client(std::move(server), limits);
    http_client::Request request;
    request.method = "POST";
    request.target = call.target;
    request.headers.emplace_back("Content-Type", "application/json");
    request.headers.emplace_back("Accept", "application/json, */*");
    request.headers.emplace_back("User-Agent", "kube-apiserver-admission");
    request.body = call.body;
    // Until the attempt says otherwise; the limits above are of its single steps.
    answer.problem = kTimedOut;
    co_await (attempt(client, std::move(request), call, answer) || rt::sleep_for(call.timeout));
    co_return answer;
}

awaitable<void> answer_wanted(Exchange& exchange) {
    for (auto& [question, call] : exchange.take_wanted()) {
        HookAnswer answer = co_await call_out(std::move(call));
        exchange.answer(question, std::move(answer));
    }
}

}  // namespace steelyard::apiserver
