#include "common/testing/certificates.hpp"
#include "e2e/apiserver/server/server_fixture.hpp"

#include <gtest/gtest.h>

namespace steelyard::apiserver {
namespace {

constexpr std::string_view kThings = "/apis/x.y/v1/namespaces/default/things";

// A server whose admission and conversion webhook is the Service "hook", served on loopback.
class WebhookTest : public ServerFixture {
protected:
    WebhookTest() {
        const fakes::PemPair identity = fakes::issue(authority_, "DNS:hook.default.svc");
        http_server::ServerConfig config;
        config.tls.emplace();
        config.tls->certificate_chain = identity.certificate;
        config.tls->private_key = identity.key;
        hook_ = http_server::Server::listen(
                    io_.get_executor(),
                    config,
                    [this](http_server::Request request) { return respond(std::move(request)); }
        ).value();
        put_service();
        bundle_ = base64_line(authority_.certificate);
    }

    // Runs the script beside both servers.
    void run(std::function<awaitable<void>(tcp::socket&)> script) {
        tasks_.spawn("hook", hook_->run());
        serve([&](tcp::socket& socket) -> awaitable<void> {
            co_await script(socket);
            hook_->stop();
        });
    }
    // The body of the answer to one request, its first line and its headers before it.
    awaitable<std::string> answer(tcp::socket& socket, std::string request) {
        std::string text = co_await ask(socket, std::move(request), "\r\n\r\n");
        const std::size_t end = text.find("\r\n\r\n") + 4;
        const std::size_t length = std::stoul(text.substr(text.find("Content-Length: ") + 16));
        while (text.size() < end + length) {
            char byte = 0;
            co_await asio::async_read(socket, asio::buffer(&byte, 1), kAwait);
            text.push_back(byte);
        }
        co_return text;
    }
    void guard_maps(const std::string& more) {
        server_->put(
            "validatingwebhookconfigurations.admissionregistration.k8s.io",
            parse_json(
                R"({"metadata":{"name":"c"},"webhooks":[{"name":"maps.x.y","clientConfig":{
                "caBundle":")" +
                bundle_ + R"(","service":{"name":"hook","namespace":"default",
                "path":"/validate"}},"sideEffects":"None","admissionReviewVersions":["v1"],
                "rules":[{"operations":["CREATE","DELETE"],"apiGroups":[""],"apiVersions":["v1"],
                "resources":["configmaps"]}])" +
                more + "}]}"
            )
        );
    }
    awaitable<std::string> define_things(tcp::socket& socket) {
        co_return co_await answer(
            socket,
            post(
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                R"({"metadata":{"name":"things.x.y"},"spec":{"group":"x.y","scope":"Namespaced",
                "names":{"plural":"things","kind":"Thing"},"conversion":{"strategy":"Webhook",
                "webhook":{"clientConfig":{"caBundle":")" +
                    bundle_ +
                    R"(","service":{"name":"hook","namespace":"default","path":"/convert"}},
                "conversionReviewVersions":["v1"]}},"versions":[
                {"name":"v1","served":true,"storage":false,"schema":{"openAPIV3Schema":
                    {"type":"object","x-kubernetes-preserve-unknown-fields":true}}},
                {"name":"v2","served":true,"storage":true,"schema":{"openAPIV3Schema":
                    {"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}})"
            )
        );
    }

    fakes::PemPair authority_ = fakes::make_authority();
    std::string bundle_;
    std::unique_ptr<http_server::Server> hook_;
    Json asked_ = Json::array();  // what the webhook heard

private:
    void put_service() {
        server_->put("services.", parse_json(R"({"metadata":{"name":"hook","namespace":"default"},
            "spec":{"ports":[{"port":443}]}})"));
        Json slice = parse_json(R"({"metadata":{"name":"hook","namespace":"default","labels":
            {"kubernetes.io/service-name":"hook"}},"endpoints":[{"addresses":["127.0.0.1"]}]})");
        slice["ports"] = Json::array({Json{{"name", ""}, {"port", hook_->port()}}});
        server_->put("endpointslices.discovery.k8s.io", std::move(slice));
    }
    // Denies objects with data.bad; converts by writing down where a thing came from.
    awaitable<http_server::Response> respond(http_server::Request request) {
        Json review = parse_json(request.body);
        asked_.push_back(review["request"]);
        Json response{{"uid", review["request"]["uid"]}};
        if (request.path == "/convert") {
            const std::string wanted = text_at(review, "request.desiredAPIVersion");
            response["result"] = Json{{"status", "Success"}};
            response["convertedObjects"] = review["request"]["objects"];
            for (Json& object : response["convertedObjects"]) {
                object["spec"]["was"] = object["apiVersion"];
                object["apiVersion"] = wanted;
            }
        } else {
            const bool bad = find(review, "request.object.data.bad") != nullptr;
            response["allowed"] = !bad;
            response["warnings"] = Json::array({"say \"when\""});
            if (bad) {
                response["status"] = Json{{"code", 403}, {"message", "it is bad"}};
            }
        }
        review.erase("request");
        review["response"] = std::move(response);
        co_return http_server::json_response(200, dump(review));
    }

    rt::TaskGroup tasks_{io_.get_executor(), [](const std::string&, const std::exception_ptr& e) {
                             EXPECT_FALSE(e) << rt::describe(e);
                         }};
};

const std::string kMaps = "/api/v1/namespaces/default/configmaps";

TEST_F(WebhookTest, ADenialAndWarningsReachTheClient) {
    guard_maps("");
    std::string passed;
    std::string denied;
    run([&](tcp::socket& socket) -> awaitable<void> {
        const std::string good = post(kMaps, R"({"metadata":{"name":"good"}})");
        passed = co_await answer(socket, good);
        const std::string bad = post(kMaps, R"({"metadata":{"name":"b"},"data":{"bad":"1"}})");
        denied = co_await answer(socket, bad);
    });

    EXPECT_TRUE(passed.starts_with("HTTP/1.1 201")) << passed;
    EXPECT_NE(passed.find("Warning: 299 - \"say \\\"when\\\"\"\r\n"), std::string::npos) << passed;
    EXPECT_TRUE(denied.starts_with("HTTP/1.1 403")) << denied;
    EXPECT_NE(denied.find("Warning: 299"), std::string::npos);
    EXPECT_NE(
        denied.find(R"(admission webhook \"maps.x.y\" denied the request: it is bad)"),
        std::string::npos
    ) << denied;
    ASSERT_EQ(asked_.size(), 2U);
    // The object of the review is the one that is stored, down to its uid.
    const Object stored = server_->api().store().get("configmaps.", "default/good");
    ASSERT_NE(stored, nullptr);
    EXPECT_EQ(asked_[0]["object"]["metadata"]["uid"], (*stored)["metadata"]["uid"]);
}

TEST_F(WebhookTest, ACertificateThatIsNotTrustedCountsAsFailure) {
    bundle_ = base64_line(fakes::make_authority().certificate);
    guard_maps("");
    std::string failed;
    run([&](tcp::socket& socket) -> awaitable<void> {
        const std::string good = post(kMaps, R"({"metadata":{"name":"good"}})");
        failed = co_await answer(socket, good);
    });

    EXPECT_TRUE(failed.starts_with("HTTP/1.1 500")) << failed;
    EXPECT_NE(failed.find("x509: certificate signed by unknown authority"), std::string::npos)
        << failed;
}

TEST_F(WebhookTest, ObjectsAreConvertedWhereverVersionsDiffer) {
    std::string made;
    std::string read;
    std::string listed;
    std::string watched;
    const std::string things(kThings);
    run([&](tcp::socket& socket) -> awaitable<void> {
        co_await define_things(socket);
        const std::string thing = post(things, R"({"metadata":{"name":"t"}})");
        made = co_await answer(socket, thing);
        const std::string one = get(things + "/t");
        read = co_await answer(socket, one);
        const std::string all = get(things);
        listed = co_await answer(socket, all);
        const std::string watch = get(things + "?watch=1&resourceVersion=0");
        watched = co_await ask(socket, watch, "}}\n");
    });

    const Object stored = server_->api().store().get("things.x.y", "default/t");
    ASSERT_NE(stored, nullptr);
    EXPECT_EQ((*stored)["apiVersion"], "x.y/v2");
    EXPECT_EQ((*stored)["spec"]["was"], "x.y/v1");
    EXPECT_TRUE(made.starts_with("HTTP/1.1 201")) << made;
    for (const std::string* text : {&made, &read, &listed, &watched}) {
        EXPECT_NE(text->find(R"("apiVersion":"x.y/v1","kind":"Thing")"), std::string::npos)
            << *text;
        EXPECT_NE(text->find(R"("was":"x.y/v2")"), std::string::npos) << *text;
    }
}

TEST_F(WebhookTest, NobodyIsAskedAboutObjectsInTheStoredVersion) {
    run([&](tcp::socket& socket) -> awaitable<void> {
        co_await define_things(socket);
        const std::string thing =
            post("/apis/x.y/v2/namespaces/default/things", R"({"metadata":{"name":"t"}})");
        co_await answer(socket, thing);
        const std::string all = get("/apis/x.y/v2/things");
        co_await answer(socket, all);
    });

    EXPECT_EQ(asked_.size(), 0U);
}

}  // namespace
}  // namespace steelyard::apiserver
