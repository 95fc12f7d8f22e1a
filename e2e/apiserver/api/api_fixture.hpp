#pragma once

#include "e2e/apiserver/api/api.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

// An Api of one's own per test, at a fixed time, spoken to without HTTP.
namespace steelyard::apiserver {

constexpr WallTime kNow = WallTime(std::chrono::seconds(1700000000));

class ApiFixture : public testing::Test {
protected:
    ApiReply call(
        const char* method, const std::string& path, const std::string& body = {}, Query query = {}
    ) {
        ApiRequest request;
        request.method = method;
        request.path = path;
        request.body = body;
        request.query = std::move(query);
        request.content_type = content_type;
        request.accept = accept;
        request.user = user;
        return api->handle(request, kNow);
    }
    Json create(const std::string& path, const std::string& body, unsigned status = 201) {
        const ApiReply reply = call("POST", path, body);
        EXPECT_EQ(reply.status, status) << reply.body;
        return parse_json(reply.body);
    }
    Json get(const std::string& path) { return parse_json(call("GET", path).body); }
    Json list(const std::string& path, Query query, unsigned status = 200) {
        const ApiReply reply = call("GET", path, "", std::move(query));
        EXPECT_EQ(reply.status, status) << reply.body;
        return parse_json(reply.body);
    }

    User user;
    std::string content_type = "application/merge-patch+json";
    std::string accept;
    Exchange exchange{Rng(1)};  // for watches, with nobody to ask
    std::unique_ptr<Api> api = std::make_unique<Api>(ApiOptions(), Rng(1), kNow);
    const std::string maps = "/api/v1/namespaces/default/configmaps";
};

}  // namespace steelyard::apiserver
