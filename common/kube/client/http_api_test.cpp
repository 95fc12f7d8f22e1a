#include "common/kube/client/http_api.hpp"

#include "common/kube/watch/status.hpp"
#include "common/testing/loop.hpp"
#include "common/testing/scripted_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace steelyard::kube {
namespace {

using fakes::http_answer;
using fakes::ScriptedConnection;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class HttpApiTest : public testing::Test {
protected:
    // Every request gets the next of `answers` (the last one again and again).
    void serve(std::vector<std::string> answers) {
        answers_ = std::move(answers);
        server_ = std::make_unique<fakes::ScriptedServer>(
            loop_.executor(),
            [this](ScriptedConnection& connection, std::size_t) { return play(connection); }
        );
        loop_.spawn("server", server_->run());
    }
    awaitable<void> play(ScriptedConnection& connection) {
        for (;;) {
            std::string request = co_await connection.read_request();
            if (request.empty()) {
                co_return;
            }
            requests_.push_back(std::move(request));
            std::string answer = answers_.front();
            if (answers_.size() > 1) {
                answers_.erase(answers_.begin());
            }
            co_await connection.write(std::move(answer));
        }
    }
    std::unique_ptr<HttpKubeApi> api(ClientConfig config = {}) {
        config.host = "127.0.0.1";
        config.port = server_->port();
        config.tls = false;
        return std::move(HttpKubeApi::make(std::move(config)).value());
    }
    static ObjectRef web(std::string subresource = "") {
        ObjectKey key;
        key.ns = "ns";
        key.name = "web";
        return ObjectRef(Resource<Service>::kType, std::move(key), std::move(subresource));
    }
    [[nodiscard]] std::vector<std::string> first_lines() const {
        std::vector<std::string> lines;
        for (const std::string& request : requests_) {
            lines.push_back(request.substr(0, request.find(" HTTP/1.1")));
        }
        return lines;
    }

    fakes::Loop loop_;
    std::unique_ptr<fakes::ScriptedServer> server_;
    std::vector<std::string> answers_;
    std::vector<std::string> requests_;
};

TEST_F(HttpApiTest, EachCallIsTheRequestKubernetesExpects) {
    serve({http_answer(200, "{}")});
    auto subject = api();
    const auto test = [&]() -> awaitable<void> {
        const ObjectRef object = web();
        const ObjectRef status = web("status");
        const Collection slices(Resource<EndpointSlice>::kType, "ns", "a=b");
        nlohmann::json body;
        body["metadata"]["namespace"] = "ns";
        EXPECT_TRUE(co_await subject->get(object));
        EXPECT_TRUE(co_await subject->list(slices));
        EXPECT_TRUE(co_await subject->create(Resource<Service>::kType, body));
        EXPECT_TRUE(co_await subject->update(object, body));
        EXPECT_TRUE(co_await subject->patch(status, PatchType::Merge, body));
        EXPECT_TRUE(co_await subject->remove(object, nullptr));
    };

    loop_.run(test());

    EXPECT_THAT(
        first_lines(),
        ElementsAre(
            "GET /api/v1/namespaces/ns/services/web",
            "GET /apis/discovery.k8s.io/v1/namespaces/ns/endpointslices"
            "?labelSelector=a%3Db&limit=500",
            "POST /api/v1/namespaces/ns/services",
            "PUT /api/v1/namespaces/ns/services/web",
            "PATCH /api/v1/namespaces/ns/services/web/status",
            "DELETE /api/v1/namespaces/ns/services/web"
        )
    );
    EXPECT_THAT(requests_[4], HasSubstr("Content-Type: application/merge-patch+json\r\n"));
    EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(HttpApiTest, AListComesInPagesAndIsOne) {
    serve({
        http_answer(200, R"({"metadata":{"continue":"t 1"},"items":[1,2]})"),
        http_answer(200, R"({"metadata":{},"items":[3]})"),
    });
    auto subject = api();
    const auto test = [&]() -> awaitable<void> {
        const Collection services(Resource<Service>::kType);
        const auto list = co_await subject->list(services);
        EXPECT_TRUE(list);
        EXPECT_EQ(list->at("items").dump(), "[1,2,3]");
    };

    loop_.run(test());

    EXPECT_THAT(
        first_lines(),
        ElementsAre(
            "GET /api/v1/services?limit=500", "GET /api/v1/services?continue=t%201&limit=500"
        )
    );
}

TEST_F(HttpApiTest, AListWhoseTokenExpiredIsAskedForWhole) {
    serve({
        http_answer(200, R"({"metadata":{"continue":"t"},"items":[1,2]})"),
        http_answer(410, R"({"kind":"Status","reason":"Expired"})"),
        http_answer(200, R"({"metadata":{},"items":[3]})"),
    });
    auto subject = api();
    const auto test = [&]() -> awaitable<void> {
        const Collection services(Resource<Service>::kType);
        const auto list = co_await subject->list(services);
        EXPECT_TRUE(list);
        EXPECT_EQ(list->at("items").dump(), "[3]");
    };

    loop_.run(test());

    EXPECT_EQ(requests_.size(), 3U);
}

TEST_F(HttpApiTest, AnAnswerThatIsNoObjectIsAFailure) {
    serve({http_answer(200, "[]"), http_answer(200, "<html>")});
    auto subject = api();
    const auto test = [&]() -> awaitable<void> {
        const ObjectRef object = web();
        for (int i = 0; i < 2; ++i) {
            const auto answer = co_await subject->get(object);
            EXPECT_FALSE(answer);
            EXPECT_TRUE(is(answer.error(), Errc::Internal));
        }
    };

    loop_.run(test());
}

TEST_F(HttpApiTest, AFailureCarriesTheServersMessage) {
    serve({http_answer(
        409, R"({"kind":"Status","reason":"Conflict","message":"the object has been modified"})"
    )});
    auto subject = api();
    const auto test = [&]() -> awaitable<void> {
        const ObjectRef status = web("status");
        auto answer = co_await subject->patch(status, PatchType::Merge, nlohmann::json::object());
        EXPECT_TRUE(is(answer.error(), Errc::Conflict));
        EXPECT_EQ(
            answer.error().context,
            "PATCH /api/v1/namespaces/ns/services/web/status: "
            "the object has been modified (HTTP 409)"
        );
    };

    loop_.run(test());
}

TEST_F(HttpApiTest, AWriteWhoseAnswerNobodyReadsFailsAsAnyOther) {
    serve(
        {http_answer(201, "{}"),
         http_answer(200, "no object"),
         http_answer(409, R"({"kind":"Status","reason":"Conflict","message":"modified"})"),
         http_answer(429, "{}", "Retry-After: 9\r\n"),
         http_answer(404, "{}")}
    );
    auto subject = api();
    const auto test = [&]() -> awaitable<void> {
        const ObjectRef status = web("status");
        nlohmann::json body;
        body["metadata"]["namespace"] = "ns";
        EXPECT_TRUE(co_await subject->create_only(Resource<Service>::kType, body));
        EXPECT_TRUE(co_await subject->patch_only(status, PatchType::Merge, body));
        const auto conflict = co_await subject->patch_only(status, PatchType::Merge, body);
        EXPECT_TRUE(is(conflict.error(), Errc::Conflict));
        EXPECT_THAT(conflict.error().context, HasSubstr("modified (HTTP 409)"));
        const auto busy = co_await subject->create_only(Resource<Service>::kType, body);
        EXPECT_EQ(retry_after(busy.error()), std::chrono::seconds(9));
        const auto gone = co_await subject->patch_only(status, PatchType::Merge, body);
        EXPECT_TRUE(is(gone.error(), Errc::NotFound));
    };

    loop_.run(test());

    EXPECT_THAT(
        first_lines(),
        ElementsAre(
            "POST /api/v1/namespaces/ns/services",
            "PATCH /api/v1/namespaces/ns/services/web/status",
            "PATCH /api/v1/namespaces/ns/services/web/status",
            "POST /api/v1/namespaces/ns/services",
            "PATCH /api/v1/namespaces/ns/services/web/status"
        )
    );
}

TEST_F(HttpApiTest, ANewTokenIsReadAtOnceAfterARefusal) {
    const std::string file = testing::TempDir() + "steelyard_token";
    std::ofstream(file) << "old\n";
    serve({http_answer(401, "{}"), http_answer(200, "{}"), http_answer(401, "{}")});
    ClientConfig config;
    config.token_file = file;
    auto subject = api(config);
    std::ofstream(file) << "new\n";
    const auto test = [&]() -> awaitable<void> {
        const ObjectRef object = web();
        EXPECT_TRUE(co_await subject->get(object));
        auto refused = co_await subject->get(object);
        EXPECT_TRUE(is(refused.error(), Errc::Unauthorized));
    };

    loop_.run(test());

    ASSERT_EQ(requests_.size(), 3U);  // the second refusal has no newer token to try
    EXPECT_THAT(requests_[0], HasSubstr("Authorization: Bearer old\r\n"));
    EXPECT_THAT(requests_[1], HasSubstr("Authorization: Bearer new\r\n"));
    std::filesystem::remove(file);
}

TEST_F(HttpApiTest, AWriteComesBackAtOnceWithTheTimeTheServerAsksFor) {
    serve({http_answer(429, "{}", "Retry-After: 9\r\n")});
    auto subject = api();
    const auto test = [&]() -> awaitable<void> {
        const ObjectRef object = web();
        const nlohmann::json patch = nlohmann::json::object();
        const auto answer = co_await subject->patch(object, PatchType::Merge, patch);
        EXPECT_TRUE(is(answer.error(), Errc::TooManyRequests));
        EXPECT_EQ(retry_after(answer.error()), std::chrono::seconds(9));
    };

    loop_.run(test());

    EXPECT_EQ(requests_.size(), 1U);
}

TEST_F(HttpApiTest, AReadThatIsTooMuchIsTriedAgainWhenTheServerSaysWhen) {
    serve({http_answer(429, "{}", "Retry-After: 1\r\n"), http_answer(200, "{}")});
    auto subject = api();
    const auto test = [&]() -> awaitable<void> {
        const ObjectRef object = web();
        EXPECT_TRUE(co_await subject->get(object));
    };

    loop_.run(test());

    EXPECT_EQ(requests_.size(), 2U);
}

TEST_F(HttpApiTest, NamesCannotReachAnotherEndpoint) {
    ObjectKey key;
    key.ns = "a/b";
    key.name = "../c?d";
    EXPECT_EQ(
        path_of(ObjectRef(Resource<Service>::kType, key)),
        "/api/v1/namespaces/a%2Fb/services/..%2Fc%3Fd"
    );
}

}  // namespace
}  // namespace steelyard::kube
