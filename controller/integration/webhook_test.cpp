#include "controller/webhook/webhook.hpp"

#include "common/base/base64.hpp"
#include "common/http/client/client.hpp"
#include "common/kube/client/http_api.hpp"
#include "e2e/apiserver/server/api_server.hpp"
#include "e2e/apiserver/server/yaml.hpp"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

// The webhook against an API server over HTTP, and calls to it as an API server makes them: TLS,
// verified with the caBundle that stands in the API.
namespace steelyard::webhook {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

const std::string kSecretPath = "/api/v1/namespaces/metallb-system/secrets/metallb-webhook-cert";
const std::string kHooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const std::string kHooksPath = kHooks + "/metallb-webhook-configuration";
const std::string kDefinitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const std::string kDefinitionPath = kDefinitions + "/bgppeers.metallb.io";

class Lines final : public log::Sink {
public:
    void write(log::Level, std::string_view line) override { lines.emplace_back(line); }
    [[nodiscard]] std::size_t count(std::string_view part) const {
        return static_cast<std::size_t>(std::count_if(
            lines.begin(),
            lines.end(),
            [&](const std::string& line) { return line.find(part) != std::string::npos; }
        ));
    }
    std::vector<std::string> lines;
};

rt::TaskGroup::OnExit fail_on_error() {
    return [](const std::string& name, const std::exception_ptr& error) {
        if (error != nullptr) {
            ADD_FAILURE() << name << ": " << rt::describe(error);
        }
    };
}

class WebhookTest : public testing::Test {
protected:
    WebhookTest() {
        server_ = std::move(*apiserver::ApiServer::listen(ioc_.get_executor(), {}));
        beside_.spawn("api server", server_->run());
        kube::ClientConfig config;
        config.host = "127.0.0.1";
        config.port = server_->port();
        config.tls = false;
        client_ = std::move(*kube::HttpKubeApi::make(config));
        call("POST", "/api/v1/namespaces", json{{"metadata", {{"name", "metallb-system"}}}});
        options_.listen_address = "127.0.0.1";
        options_.port = 0;
    }

    ~WebhookTest() override {
        stop();
        beside_.cancel();
        EXPECT_TRUE(until([this] { return beside_.size() == 0; }));
    }

    void start(bool leading) {
        webhook_ = std::make_unique<Webhook>(
            ioc_.get_executor(),
            *client_,
            log::Logger(lines_, log::Level::Info, "webhook"),
            options_,
            [this] { return snapshot_; },
            [this] { return std::chrono::system_clock::now() + clock_offset_; }
        );
        webhook_->start(tasks_);
        webhook_->set_leading(leading);
    }

    void stop() {
        tasks_.cancel();
        EXPECT_TRUE(until([this] { return tasks_.size() == 0; }));
        webhook_.reset();
    }

    [[nodiscard]] bool ready() const { return webhook_->not_ready().empty(); }

    [[nodiscard]] bool until(const std::function<bool()>& condition) {
        const auto guard = std::chrono::steady_clock::now() + 20s;
        while (!condition()) {
            if (ioc_.stopped()) {
                ioc_.restart();
            }
            ioc_.run_one_until(guard);
            if (std::chrono::steady_clock::now() >= guard) {
                return false;
            }
        }
        return true;
    }

    json call(const std::string& method, const std::string& path, const json& body = json()) {
        apiserver::ApiRequest request;
        request.method = method;
        request.path = path;
        request.content_type =
            method == "PATCH" ? "application/merge-patch+json" : "application/json";
        request.accept = "application/json";
        request.body = body.is_null() ? std::string() : body.dump();
        request.user = {"admin", {"system:masters"}};
        return json::parse(server_->call(std::move(request)).body, nullptr, false);
    }

    // As in manifests/, one entry of ours and one of somebody else.
    void create_hooks() {
        json webhook = json::object();
        webhook["name"] = "configuration.steelyard.io";
        webhook["sideEffects"] = "None";
        webhook["failurePolicy"] = "Ignore";
        webhook["admissionReviewVersions"] = json::array({"v1"});
        webhook["clientConfig"]["service"] = json{
            {"namespace", "metallb-system"},
            {"name", "metallb-webhook-service"},
            {"path", "/validate"}};
        json foreign = webhook;
        foreign["name"] = "other.example.org";
        foreign["clientConfig"]["service"]["name"] = "other";
        json object = json::object();
        object["apiVersion"] = "admissionregistration.k8s.io/v1";
        object["kind"] = "ValidatingWebhookConfiguration";
        object["metadata"]["name"] = "metallb-webhook-configuration";
        object["webhooks"] = json::array({webhook, foreign});
        const json made = call("POST", kHooks, object);
        ASSERT_EQ(made.value("kind", ""), "ValidatingWebhookConfiguration") << made.dump();
    }

    void create_definition() {
        std::ifstream stream(std::string(SY_CRD_FOLDER) + "/bgppeers.yaml");
        std::ostringstream text;
        text << stream.rdbuf();
        const json made = call("POST", kDefinitions, apiserver::yaml_to_json(text.str()).value());
        ASSERT_EQ(made.value("kind", ""), "CustomResourceDefinition") << made.dump();
    }

    // PEM; "" when there is none.
    std::string bundle_of_hooks(std::size_t index = 0) {
        const json::json_pointer place(
            "/webhooks/" + std::to_string(index) + "/clientConfig/caBundle"
        );
        return decode_base64(call("GET", kHooksPath).value(place, "")).value();
    }
    std::string bundle_of_definition() {
        const json::json_pointer place("/spec/conversion/webhook/clientConfig/caBundle");
        return decode_base64(call("GET", kDefinitionPath).value(place, "")).value();
    }
    std::string secret_value(const std::string& key) {
        const json::json_pointer place("/data/" + key);
        return decode_base64(call("GET", kSecretPath).value(place, "")).value();
    }

    // One call on a connection of its own, trusting `authority`; nothing when it failed.
    std::optional<http_client::Response> ask(
        const std::string& path, const std::string& body, const std::string& authority
    ) {
        http_client::TlsOptions options;
        options.ca = authority;
        http_client::Server server;
        server.host = "127.0.0.1";
        server.port = webhook_->port();
        server.tls = http_client::make_tls_context(options).value();
        server.tls_name = "metallb-webhook-service.metallb-system.svc";
        std::optional<http_client::Response> answer;
        bool done = false;
        beside_.spawn("call", send(std::move(server), path, body, answer, done));
        EXPECT_TRUE(until([&] { return done; }));
        return answer;
    }

    static awaitable<void> send(
        http_client::Server server,
        std::string path,
        std::string body,
        std::optional<http_client::Response>& answer,
        bool& done
    ) {
        const http_client::Limits limits;
        http_client::Client client(std::move(server), limits);
        http_client::Request request;
        request.method = "POST";
        request.target = std::move(path);
        request.body = std::move(body);
        auto result = co_await client.send(std::move(request));
        if (result) {
            answer = std::move(*result);
        } else {
            ADD_FAILURE() << to_string(result.error());
        }
        done = true;
    }

    static std::string pool_review(const char* address) {
        json review = json::object();
        review["apiVersion"] = "admission.k8s.io/v1";
        review["kind"] = "AdmissionReview";
        json& request = review["request"];
        request["uid"] = "u-1";
        request["operation"] = "CREATE";
        request["namespace"] = "metallb-system";
        request["name"] = "a";
        request["kind"] =
            json{{"group", "metallb.io"}, {"version", "v1beta1"}, {"kind", "IPAddressPool"}};
        request["object"]["spec"]["addresses"] = json::array({address});
        return review.dump();
    }

    asio::io_context ioc_{1};
    std::unique_ptr<apiserver::ApiServer> server_;
    std::unique_ptr<kube::HttpKubeApi> client_;
    std::shared_ptr<Lines> lines_ = std::make_shared<Lines>();
    std::shared_ptr<const admission::Snapshot> snapshot_;
    std::chrono::seconds clock_offset_{0};
    Options options_;
    rt::TaskGroup beside_{ioc_.get_executor(), fail_on_error()};
    rt::TaskGroup tasks_{ioc_.get_executor(), fail_on_error()};
    std::unique_ptr<Webhook> webhook_;
};

TEST_F(WebhookTest, TheLeaderMakesACertificateAndTellsApiServersWhomToTrust) {
    create_hooks();
    create_definition();

    start(true);

    ASSERT_TRUE(until([&] {
        return ready() && !bundle_of_hooks().empty() && !bundle_of_definition().empty();
    }));
    EXPECT_EQ(bundle_of_hooks(), secret_value("ca.crt"));
    EXPECT_EQ(bundle_of_definition(), secret_value("ca.crt"));
    EXPECT_EQ(bundle_of_hooks(1), "") << "that one calls somebody else";
    const auto answer = ask("/validate", pool_review("nonsense"), bundle_of_hooks());
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->head.status, 200U);
    EXPECT_THAT(answer->body, HasSubstr("spec.addresses[0]"));
}

TEST_F(WebhookTest, AReplicaThatDoesNotLeadServesWithinASecondAndWritesNothing) {
    create_hooks();
    start(true);
    ASSERT_TRUE(until([&] { return ready() && !bundle_of_hooks().empty(); }));
    stop();
    const json before = call("GET", kSecretPath);
    const auto began = std::chrono::steady_clock::now();

    start(false);
    EXPECT_FALSE(ready());
    ASSERT_TRUE(until([&] { return ready(); }));

    EXPECT_LT(std::chrono::steady_clock::now() - began, 1s);
    EXPECT_TRUE(ask("/validate", pool_review("10.0.0.0/24"), bundle_of_hooks()));
    EXPECT_EQ(call("GET", kSecretPath), before);
}

TEST_F(WebhookTest, WithoutASecretAReplicaThatDoesNotLeadWaitsAndSaysSo) {
    start(false);

    ASSERT_TRUE(until([&] {
        return webhook_->not_ready().find("does not exist yet") != std::string::npos;
    }));
    webhook_->set_leading(true);

    EXPECT_TRUE(until([&] { return ready(); }));
}

TEST_F(WebhookTest, ACaBundleTakenAwayComesBack) {
    create_hooks();
    create_definition();
    start(true);
    ASSERT_TRUE(until([&] { return !bundle_of_hooks().empty() && !bundle_of_definition().empty(); })
    );
    const std::string authority = bundle_of_hooks();

    json hooks = call("GET", kHooksPath);
    hooks["webhooks"][0]["clientConfig"].erase("caBundle");
    call("PUT", kHooksPath, hooks);
    call(
        "PATCH",
        kDefinitionPath,
        json::parse(R"({"spec":{"conversion":{"webhook":{"clientConfig":{"caBundle":null}}}}})")
    );
    ASSERT_EQ(bundle_of_hooks(), "");

    EXPECT_TRUE(until([&] { return bundle_of_hooks() == authority; }));
    EXPECT_TRUE(until([&] { return bundle_of_definition() == authority; }));
}

TEST_F(WebhookTest, ABrokenSecretIsReplacedWithALine) {
    create_hooks();
    json secret = json::object();
    secret["metadata"]["name"] = "metallb-webhook-cert";
    secret["data"]["tls.crt"] = encode_base64("nonsense");
    call("POST", "/api/v1/namespaces/metallb-system/secrets", secret);

    start(true);

    ASSERT_TRUE(until([&] { return ready() && !bundle_of_hooks().empty(); }));
    EXPECT_EQ(lines_->count("ca.crt: no certificate in PEM"), 1U);
    EXPECT_TRUE(ask("/validate", pool_review("10.0.0.0/24"), bundle_of_hooks()));
}

TEST_F(WebhookTest, ThreeRotationsFailNoCall) {
    create_hooks();
    // Short enough for every certificate to be valid by the true clock too, which TLS goes by.
    options_.policy.leaf = 40min;
    options_.policy.authority = 60min;
    options_.policy.settle = 1min;
    clock_offset_ = -15min;
    start(true);
    ASSERT_TRUE(until([&] { return ready() && !bundle_of_hooks().empty(); }));
    const std::string first_authority = secret_value("ca.crt");

    unsigned certificates = 0;
    unsigned calls = 0;
    std::string leaf = secret_value("tls.crt");
    while (calls < 100 || certificates < 3) {
        ASSERT_LT(calls, 400U) << certificates << " new certificates";
        const auto answer = ask("/validate", pool_review("10.0.0.0/24"), bundle_of_hooks());
        ASSERT_TRUE(answer) << "call " << calls;
        ASSERT_EQ(answer->head.status, 200U);
        ++calls;
        clock_offset_ += 30s;
        webhook_->check_certificate();
        ioc_.poll();
        const std::string now = secret_value("tls.crt");
        certificates += now == leaf ? 0U : 1U;
        leaf = now;
    }

    EXPECT_NE(secret_value("ca.crt").find(first_authority), 0U) << "another authority signs now";
}

TEST_F(WebhookTest, GarbageGetsAnErrorAndOneLogLine) {
    create_hooks();
    start(true);
    ASSERT_TRUE(until([&] { return ready() && !bundle_of_hooks().empty(); }));

    const auto answer = ask("/validate", "garbage", bundle_of_hooks());
    const auto deep = ask("/convert", std::string(100000, '['), bundle_of_hooks());
    const auto elsewhere = ask("/elsewhere", "{}", bundle_of_hooks());

    ASSERT_TRUE(answer && deep && elsewhere);
    EXPECT_EQ(answer->head.status, 400U);
    EXPECT_EQ(deep->head.status, 400U);
    EXPECT_EQ(elsewhere->head.status, 404U);
    EXPECT_EQ(lines_->count("a webhook call is no review"), 2U);
}

TEST_F(WebhookTest, PeersAreConverted) {
    create_hooks();
    start(true);
    ASSERT_TRUE(until([&] { return ready() && !bundle_of_hooks().empty(); }));

    const auto answer = ask(
        "/convert",
        R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{"uid":"u",
            "desiredAPIVersion":"metallb.io/v1beta2","objects":[{"apiVersion":"metallb.io/v1beta1",
            "kind":"BGPPeer","metadata":{"name":"p"},"spec":{"myASN":1}}]}})",
        bundle_of_hooks()
    );

    ASSERT_TRUE(answer);
    EXPECT_THAT(answer->body, HasSubstr(R"("apiVersion":"metallb.io/v1beta2","kind":"BGPPeer")"));
}

TEST_F(WebhookTest, CertificatesOfSomebodyElseComeFromFiles) {
    const certs::Validity hours{
        std::chrono::system_clock::now() - 1h, std::chrono::system_clock::now() + 1h};
    const certs::KeyPair authority = certs::make_authority(hours).value();
    const auto names = certs::service_names("metallb-webhook-service", "metallb-system");
    const certs::KeyPair leaf = certs::issue(authority, names, hours).value();
    const std::string folder = testing::TempDir() + "sy_webhook_" + std::to_string(::getpid());
    std::filesystem::create_directories(folder);
    options_.disable_cert_rotation = true;
    options_.cert_dir = folder;

    start(true);
    ASSERT_TRUE(until([&] { return !webhook_->not_ready().empty(); }));
    ioc_.poll();
    EXPECT_THAT(webhook_->not_ready(), HasSubstr("tls.crt"));
    std::ofstream(folder + "/tls.crt") << leaf.certificate;
    std::ofstream(folder + "/tls.key") << leaf.key;
    webhook_->check_certificate();

    ASSERT_TRUE(until([&] { return ready(); }));
    EXPECT_TRUE(ask("/validate", pool_review("10.0.0.0/24"), authority.certificate));
    EXPECT_EQ(call("GET", kSecretPath).value("kind", ""), "Status") << "no Secret is made";
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace steelyard::webhook
