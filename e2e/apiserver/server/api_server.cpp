#include "e2e/apiserver/server/api_server.hpp"

#include "common/rt/sleep.hpp"
#include "e2e/apiserver/protobuf/protobuf.hpp"
#include "e2e/apiserver/server/shaped_writer.hpp"
#include "e2e/apiserver/server/yaml.hpp"
#include "e2e/apiserver/webhook/call_out.hpp"

#include <algorithm>

namespace steelyard::apiserver {

namespace {

using http_server::Request;
using http_server::Response;

std::string bearer_token(const Request& request) {
    const std::string_view value = request.header("Authorization");
    constexpr std::string_view kScheme = "Bearer ";
    return value.starts_with(kScheme) ? std::string(value.substr(kScheme.size())) : std::string{};
}

Response failure_response(const Failure& failure) {
    Response response = http_server::json_response(failure.code, dump(to_status(failure)));
    if (failure.retry_after > 0) {
        response.headers.emplace_back("Retry-After", std::to_string(failure.retry_after));
    }
    return response;
}

// What a rule changes in an answer that is otherwise ready.
void spoil(Response& response, const FaultRule& rule) {
    if (rule.body) {
        response.body = *rule.body;
    }
    if (!rule.content_type.empty()) {
        response.content_type = rule.content_type;
    }
    if (!response.producer && rule.shapes_body()) {
        response.producer = [rule, body = response.body](http_server::ChunkWriter& out) {
            return write_shaped(rule, body, out);
        };
    }
}

Response fault_response(const FaultRule& rule) {
    Response response = http_server::json_response(rule.status, dump(fault_status(rule)));
    if (rule.retry_after > 0) {
        response.headers.emplace_back("Retry-After", std::to_string(rule.retry_after));
    }
    spoil(response, rule);
    return response;
}

class InFlight {
public:
    InFlight(RequestCounts& counts, RequestKey key) : counts_(counts), key_(std::move(key)) {
        counts_.began(key_);
    }
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;
    ~InFlight() { counts_.ended(key_); }

private:
    RequestCounts& counts_;
    RequestKey key_;
};

bool open_to_everyone(const std::string& path) {
    return path == "/healthz" || path == "/readyz" || path == "/livez" || path == "/version";
}

// The administrator may act as someone else (`kubectl --as`), which shows what their roles grant.
void impersonate(const Request& request, User& user) {
    const std::string wanted(request.header("Impersonate-User"));
    const bool admin =
        std::find(user.groups.begin(), user.groups.end(), "system:masters") != user.groups.end();
    if (wanted.empty() || !admin) {
        return;
    }
    user.name = wanted;
    user.groups = {"system:authenticated"};
    const std::vector<std::string> parts = split(wanted, ':');
    if (parts.size() == 4 && parts[0] == "system" && parts[1] == "serviceaccount") {
        user.groups.emplace_back("system:serviceaccounts");
        user.groups.push_back("system:serviceaccounts:" + parts[2]);
    }
    for (const auto& [name, value] : request.headers) {
        if (name == "Impersonate-Group") {
            user.groups.push_back(value);
        }
    }
}

// The API core reads JSON; YAML and protobuf bodies become that here.
Outcome<> to_json_body(Request& request) {
    const std::string_view type = request.header("Content-Type");
    Result<Json> converted = Json();
    if (type.starts_with(kProtobufBody)) {
        converted = protobuf_to_json(request.body);
    } else if (type.find("yaml") != std::string_view::npos && parse_json(request.body).is_discarded()) {
        converted = yaml_to_json(request.body);
    } else {
        return {};
    }
    if (!converted) {
        return is(converted.error(), Errc::Unsupported) ? unsupported_media_type(std::string(type))
                                                        : bad_request(converted.error().context);
    }
    request.body = dump(*converted);
    return {};
}

ApiRequest to_api(Request request, User user) {
    ApiRequest out;
    out.method = std::move(request.method);
    out.path = std::move(request.path);
    out.query = std::move(request.query);
    out.content_type = std::string(request.header("Content-Type"));
    out.accept = std::string(request.header("Accept"));
    out.user_agent = std::string(request.header("User-Agent"));
    out.body = std::move(request.body);
    out.user = std::move(user);
    return out;
}

}  // namespace

ApiServer::ApiServer(const asio::any_io_executor& executor, ApiServerOptions options)
    : executor_(executor), options_(std::move(options)) {}

Result<std::unique_ptr<ApiServer>> ApiServer::listen(
    const asio::any_io_executor& executor, ApiServerOptions options
) {
    std::unique_ptr<ApiServer> server(new ApiServer(executor, std::move(options)));
    ApiServer* own = server.get();
    const ApiServerOptions& chosen = own->options_;
    http_server::ServerConfig config;
    config.listen_address = chosen.listen_address;
    config.port = chosen.port;
    config.body_limit = 16U << 20U;
    if (chosen.tls) {
        auto authority = chosen.authority ? Result<KeyPair>(*chosen.authority)
                                          : make_authority("steelyard-lab-ca");
        if (!authority) {
            return authority.error();
        }
        own->authority_ = std::move(*authority);
        std::vector<std::string> names{
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "127.0.0.1",
            "::1",
            "10.96.0.1",
            chosen.api.advertise_address};
        names.insert(names.end(), chosen.extra_names.begin(), chosen.extra_names.end());
        auto serving = issue_serving_certificate(own->authority_, names);
        if (!serving) {
            return serving.error();
        }
        http_server::TlsMaterial material;
        material.certificate_chain = serving->certificate + own->authority_.certificate;
        material.private_key = serving->private_key;
        config.tls = std::move(material);
    }
    auto http = http_server::Server::listen(executor, std::move(config), [own](Request request) {
        return own->answer(std::move(request));
    });
    if (!http) {
        return http.error();
    }
    own->http_ = std::move(*http);
    ApiOptions api = chosen.api;
    api.advertise_port = own->http_->port();
    own->api_ = std::make_unique<Api>(std::move(api), Rng(chosen.seed), own->now());
    return server;
}

std::string ApiServer::url() const {
    const std::string& address = options_.api.advertise_address;
    const bool v6 = address.find(':') != std::string::npos;
    return std::string(options_.tls ? "https://" : "http://") +
           (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port());
}

std::string ApiServer::kubeconfig() const {
    std::string out =
        "apiVersion: v1\nkind: Config\nclusters:\n- name: steelyard-lab\n  cluster:\n";
    if (options_.tls) {
        out += "    certificate-authority-data: " + base64_line(authority_.certificate) + "\n";
    }
    out += "    server: " + url() + "\n";
    out += "users:\n- name: admin\n  user:\n";
    out += options_.api.admin_token.empty() ? std::string("    {}\n")
                                            : "    token: " + options_.api.admin_token + "\n";
    out +=
        "contexts:\n- name: steelyard-lab\n  context:\n    cluster: steelyard-lab\n"
        "    user: admin\ncurrent-context: steelyard-lab\n";
    return out;
}

Object ApiServer::put(const std::string& resource, Json object) {
    Object stored = api_->put(resource, std::move(object), now());
    wake_watches();
    return stored;
}

std::string ApiServer::mint_token(const std::string& ns, const std::string& account) {
    return api_->mint_token(ns, account, now() + std::chrono::hours(24));
}

ApiReply ApiServer::call(ApiRequest request) {
    const std::uint64_t before = api_->store().version();
    ApiReply reply = api_->handle(request, now());
    if (api_->store().version() != before) {
        wake_watches();
    }
    return reply;
}

awaitable<ApiReply> ApiServer::perform(ApiRequest request) {
    // Each try may find that the objects have changed meanwhile and that webhooks must hear of
    // that.
    constexpr int kTries = 50;
    Exchange exchange = api_->new_exchange();
    const WallTime begun = now();
    const std::uint64_t before = api_->store().version();
    ApiReply reply = api_->handle(request, begun, exchange);
    for (int i = 0; exchange.pending() && i < kTries; ++i) {
        co_await answer_wanted(exchange);
        reply = api_->handle(request, begun, exchange);
    }
    if (api_->store().version() != before) {
        wake_watches();
    }
    co_return reply;
}

std::optional<User> ApiServer::user_of(const Request& request) const {
    auto user = api_->authenticate(bearer_token(request), now());
    if (!user && open_to_everyone(request.path)) {
        User anonymous;
        anonymous.name = "system:anonymous";
        anonymous.groups = {"system:unauthenticated"};
        return anonymous;
    }
    return user;
}

awaitable<Response> ApiServer::answer(Request request) {
    auto user = user_of(request);
    if (!user) {
        co_return failure_response(unauthorized());
    }
    impersonate(request, *user);
    if (request.path == "/faults") {
        co_return serve_faults(request);
    }
    const auto route = parse_route(request.path);
    RequestKey key;
    key.path = request.path;
    if (route) {
        key.verb = verb_of(request.method, *route, request.query);
        key.resource = route->plural;
        key.subresource = route->subresource;
    }
    const InFlight counted(counts_, key);
    if (options_.latency.count() > 0) {
        co_await rt::sleep_for(options_.latency);
    }
    co_return co_await serve(std::move(request), std::move(*user), std::move(key));
}

awaitable<Response> ApiServer::serve(Request request, User user, RequestKey key) {
    const FaultRule fault = faults_.take(key).value_or(FaultRule());
    if (fault.delay.count() > 0) {
        co_await rt::sleep_for(fault.delay);
    }
    if (fault.drop_connection) {
        Response dropped;
        dropped.drop_connection = true;
        co_return dropped;
    }
    if (fault.status != 0 && !fault.error_after) {
        co_return fault_response(fault);
    }
    auto readable = to_json_body(request);
    if (!readable) {
        co_return failure_response(readable.error());
    }
    ApiReply reply = co_await perform(to_api(std::move(request), std::move(user)));
    co_return to_response(std::move(reply), fault);
}

Response ApiServer::to_response(ApiReply reply, const FaultRule& fault) {
    Response response;
    response.status = reply.status;
    response.content_type = std::move(reply.content_type);
    response.headers = std::move(reply.headers);
    response.body = std::move(reply.body);
    if (reply.watch && !fault.body) {
        response.producer =
            [this, fault, watch = std::move(*reply.watch)](http_server::ChunkWriter& out) {
                return stream(watch, fault, out);
            };
    }
    spoil(response, fault);
    return response;
}

void ApiServer::wake_watches() {
    for (Watcher* watcher : watchers_) {
        watcher->timer.cancel();
    }
}

void ApiServer::drop_watches() {
    for (Watcher* watcher : watchers_) {
        watcher->dropped = true;
    }
    wake_watches();
}

void ApiServer::send_bookmarks() {
    for (Watcher* watcher : watchers_) {
        watcher->bookmark = true;
    }
    wake_watches();
}

WallTime ApiServer::now() const {
    return std::chrono::system_clock::now() + clock_offset_;
}

void ApiServer::forget_history() {
    api_->forget_history();
}

void ApiServer::restart() {
    drop_watches();
    forget_history();
}

}  // namespace steelyard::apiserver
