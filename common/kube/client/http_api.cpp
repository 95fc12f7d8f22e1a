#include "common/kube/client/http_api.hpp"

#include "common/http/client/client.hpp"
#include "common/kube/client/credentials.hpp"
#include "common/kube/watch/retry_after.hpp"
#include "common/kube/watch/status.hpp"
#include "common/rt/sleep.hpp"

#include <algorithm>
#include <chrono>
#include <type_traits>
#include <utility>

namespace steelyard::kube {
namespace {

// Reads wait this often and this long when the server asks them to come back later; what is left
// then goes to the caller, whose own retry takes over. Writes go back to it at once, with the
// server's wish in their Error (retry_after() of kube/watch/status.hpp): whoever writes much has to
// slow down as a whole.
constexpr unsigned kMaxRetries = 4;
constexpr Duration kMaxRetryWait = std::chrono::seconds(10);
constexpr const char* kJson = "application/json";

Instant now() {
    return std::chrono::steady_clock::now();
}

std::string media_type(PatchType type) {
    switch (type) {
        case PatchType::Merge:
            return "application/merge-patch+json";
        case PatchType::Json:
            return "application/json-patch+json";
        case PatchType::Apply:
            return "application/apply-patch+yaml";
    }
    return kJson;
}

std::string what(const http_client::Request& request) {
    return request.method + " " + request.target.substr(0, request.target.find('?'));
}

Error named(const http_client::Request& request, const Error& error) {
    return Error{error.code, what(request) + ": " + to_string(error)};
}

// In seconds, if it was given as a date too.
std::string retry_after_in(const http_client::ResponseHead& head) {
    return retry_after_seconds(head.header("Retry-After"), head.header("Date"));
}

class HttpBody final : public BodyStream {
public:
    explicit HttpBody(std::unique_ptr<http_client::BodyReader> reader)
        : reader_(std::move(reader)) {}
    awaitable<Result<std::string>> next(Duration patience) override {
        return reader_->next(patience);
    }

private:
    std::unique_ptr<http_client::BodyReader> reader_;
};

std::string next_page(const nlohmann::json& list) {
    static const nlohmann::json::json_pointer kToken("/metadata/continue");
    const bool named = list.contains(kToken) && list[kToken].is_string();
    return named ? list[kToken].get<std::string>() : std::string();
}

// The first page keeps its head, and takes the items of the others.
void add_page(nlohmann::json& whole, nlohmann::json page) {
    if (whole.is_null()) {
        whole = std::move(page);
    } else if (page["items"].is_array()) {
        for (nlohmann::json& item : page["items"]) {
            whole["items"].push_back(std::move(item));
        }
    }
}

http_client::Request make_request(std::string method, std::string target) {
    http_client::Request request;
    request.method = std::move(method);
    request.target = std::move(target);
    return request;
}

http_client::Request make_request(
    std::string method, std::string target, const std::string& media, const nlohmann::json& body
) {
    http_client::Request request = make_request(std::move(method), std::move(target));
    request.headers.emplace_back("Content-Type", media);
    // The server answers 400 to broken UTF-8; replacing it is better than losing the whole write.
    request.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return request;
}

http_client::Request create_request(const ResourceType& type, const nlohmann::json& object) {
    static const nlohmann::json::json_pointer kNamespace("/metadata/namespace");
    const std::string ns = object.value(kNamespace, std::string());
    return make_request("POST", path_of(Collection(type, ns)), kJson, object);
}

// The name without the version: what a release owns, the next one owns too.
std::string field_manager(const std::string& user_agent) {
    return user_agent.substr(0, user_agent.find('/'));
}

}  // namespace

struct HttpKubeApi::Impl {
    Impl(ClientConfig client_config, Credentials loaded)
        : config(std::move(client_config)),
          credentials(std::move(loaded)),
          client(credentials.server(), http_client::Limits{}) {}

    [[nodiscard]] http_client::Request patch_request(
        const ObjectRef& ref, PatchType type, const nlohmann::json& patch
    ) const {
        std::string target = path_of(ref);
        if (type == PatchType::Apply) {
            target +=
                "?" +
                encode_query({{"fieldManager", field_manager(config.user_agent)}, {"force", "true"}}
                );
        }
        return make_request("PATCH", std::move(target), media_type(type), patch);
    }

    // The request as it goes out, with what we know now.
    http_client::Request signed_request(const http_client::Request& plain) {
        if (credentials.refresh(now())) {
            client.set_server(credentials.server());
        }
        http_client::Request request = plain;
        request.target = config.path_prefix + plain.target;
        request.headers.emplace_back("Accept", kJson);
        request.headers.emplace_back("User-Agent", config.user_agent);
        if (!credentials.token().empty()) {
            request.headers.emplace_back("Authorization", "Bearer " + credentials.token());
        }
        return request;
    }

    // After a connection that failed. True when it is worth another one at once.
    bool reload() {
        if (!credentials.reread(now())) {
            return false;
        }
        client.set_server(credentials.server());
        return true;
    }

    // The object the server answers with; or, as void, only that it is content.
    template <class Answer>
    awaitable<Result<Answer>> call(http_client::Request plain) {
        bool token_tried = false;
        bool reloaded = false;
        for (unsigned attempt = 0;; ++attempt) {
            http_client::Request request = signed_request(plain);
            auto answer = co_await client.send(std::move(request));
            if (!answer) {
                // A write may have arrived; whoever made it knows whether to make it again.
                if (!std::exchange(reloaded, true) && reload() && plain.method == "GET") {
                    continue;
                }
                co_return named(plain, answer.error());
            }
            const unsigned code = answer->head.status;
            if (code >= 200 && code < 300) {
                if constexpr (std::is_void_v<Answer>) {
                    co_return Result<>{};
                } else {
                    co_return parse_answer(plain, answer->body);
                }
            }
            const ApiStatus status = parse_status(code, retry_after_in(answer->head), answer->body);
            if (code == 401 && !std::exchange(token_tried, true) &&
                credentials.reread_token(now())) {
                continue;
            }
            const bool later = (code == 429 || code >= 500) && status.retry_after > Duration{} &&
                               attempt < kMaxRetries && plain.method == "GET";
            if (!later) {
                co_return to_error(status, what(plain));
            }
            co_await rt::sleep_for(std::min(status.retry_after, kMaxRetryWait));
        }
    }

    static Result<nlohmann::json> parse_answer(
        const http_client::Request& request, const std::string& body
    ) {
        nlohmann::json object = nlohmann::json::parse(body, nullptr, false);
        if (!object.is_object()) {
            return make_error(Errc::Internal, what(request) + ": the answer is no JSON object");
        }
        return object;
    }

    ClientConfig config;
    Credentials credentials;
    http_client::Client client;
};

HttpKubeApi::HttpKubeApi(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpKubeApi::~HttpKubeApi() = default;

Result<std::unique_ptr<HttpKubeApi>> HttpKubeApi::make(ClientConfig config) {
    auto credentials = Credentials::load(config, now());
    if (!credentials) {
        return credentials.error();
    }
    auto impl = std::make_unique<Impl>(std::move(config), std::move(*credentials));
    return std::unique_ptr<HttpKubeApi>(new HttpKubeApi(std::move(impl)));
}

awaitable<Result<nlohmann::json>> HttpKubeApi::get(ObjectRef ref) {
    return impl_->call<nlohmann::json>(make_request("GET", path_of(ref)));
}

awaitable<Result<nlohmann::json>> HttpKubeApi::list(Collection collection) {
    std::map<std::string, std::string> query;
    if (!collection.label_selector().empty()) {
        query["labelSelector"] = collection.label_selector();
    }
    if (!collection.field_selector().empty()) {
        query["fieldSelector"] = collection.field_selector();
    }
    const std::string path = path_of(collection);
    nlohmann::json whole;
    query["limit"] = "500";
    for (;;) {
        http_client::Request request = make_request("GET", path + "?" + encode_query(query));
        auto page = co_await impl_->call<nlohmann::json>(std::move(request));
        if (!page) {
            // The token of the next page has expired: begin anew, and without pages.
            if (is(page.error(), Errc::Expired) && query.erase("continue") != 0) {
                query.erase("limit");
                whole = nlohmann::json();
                continue;
            }
            co_return page.error();
        }
        const std::string next = next_page(*page);
        add_page(whole, std::move(*page));
        if (next.empty()) {
            co_return whole;
        }
        query["continue"] = next;
    }
}

awaitable<Result<nlohmann::json>> HttpKubeApi::create(ResourceType type, nlohmann::json object) {
    return impl_->call<nlohmann::json>(create_request(type, object));
}

awaitable<Result<>> HttpKubeApi::create_only(ResourceType type, nlohmann::json object) {
    return impl_->call<void>(create_request(type, object));
}

awaitable<Result<nlohmann::json>> HttpKubeApi::update(ObjectRef ref, nlohmann::json object) {
    return impl_->call<nlohmann::json>(make_request("PUT", path_of(ref), kJson, object));
}

awaitable<Result<nlohmann::json>> HttpKubeApi::patch(
    ObjectRef ref, PatchType type, nlohmann::json patch
) {
    return impl_->call<nlohmann::json>(impl_->patch_request(ref, type, patch));
}

awaitable<Result<>> HttpKubeApi::patch_only(ObjectRef ref, PatchType type, nlohmann::json patch) {
    return impl_->call<void>(impl_->patch_request(ref, type, patch));
}

awaitable<Result<nlohmann::json>> HttpKubeApi::remove(ObjectRef ref, nlohmann::json preconditions) {
    nlohmann::json options;
    options["apiVersion"] = "v1";
    options["kind"] = "DeleteOptions";
    if (!preconditions.is_null()) {
        options["preconditions"] = std::move(preconditions);
    }
    return impl_->call<nlohmann::json>(make_request("DELETE", path_of(ref), kJson, options));
}

awaitable<Result<StreamResponse>> HttpKubeApi::stream(std::string target) {
    const http_client::Request plain = make_request("GET", std::move(target));
    http_client::Request request = impl_->signed_request(plain);
    auto opened = co_await impl_->client.open(std::move(request));
    if (!opened && impl_->reload()) {
        request = impl_->signed_request(plain);
        opened = co_await impl_->client.open(std::move(request));
    }
    if (opened && opened->head.status == 401 && impl_->credentials.reread_token(now())) {
        request = impl_->signed_request(plain);
        opened = co_await impl_->client.open(std::move(request));
    }
    if (!opened) {
        co_return named(plain, opened.error());
    }
    StreamResponse response;
    response.status = opened->head.status;
    response.retry_after = retry_after_in(opened->head);
    response.content_type = opened->head.header("Content-Type");
    response.body = std::make_unique<HttpBody>(std::move(opened->body));
    co_return response;
}

}  // namespace steelyard::kube
