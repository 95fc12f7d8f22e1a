#pragma once

#include "common/kube/client/http_api.hpp"
#include "common/log/log.hpp"
#include "common/rt/task_group.hpp"
#include "e2e/apiserver/server/api_server.hpp"
#include "e2e/apiserver/server/yaml.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

// An API server and a client of it on one loop, which the test turns until it sees what it expects.
namespace steelyard::speaker {

class ApiFixture : public testing::Test {
protected:
    ApiFixture() {
        auto server = apiserver::ApiServer::listen(ioc_.get_executor(), {});
        EXPECT_TRUE(server.has_value());
        server_ = std::move(*server);
        tasks_.spawn("api server", server_->run());
        kube::ClientConfig config;
        config.host = "127.0.0.1";
        config.port = server_->port();
        config.tls = false;
        api_ = kube::HttpKubeApi::make(config).value();
    }
    ~ApiFixture() override { stop(); }

    // Ends every task. A test whose own members tasks refer to calls it before they die.
    void stop() {
        tasks_.cancel();
        EXPECT_TRUE(until([this] { return tasks_.size() == 0; }));
    }

    // A definition of the folder crds/, as a user applies it.
    static nlohmann::json definition(const std::string& path) {
        std::ifstream stream(path);
        std::ostringstream text;
        text << stream.rdbuf();
        return apiserver::yaml_to_json(text.str()).value();
    }
    void define(const nlohmann::json& definition) {
        call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
        call("POST", "/api/v1/namespaces", {{"metadata", {{"name", "metallb-system"}}}});
    }

    nlohmann::json call(
        const std::string& method,
        const std::string& path,
        const nlohmann::json& body = nlohmann::json()
    ) {
        apiserver::ApiRequest request;
        request.method = method;
        request.path = path;
        request.content_type = "application/json";
        request.accept = "application/json";
        request.body = body.is_null() ? std::string() : body.dump();
        request.user = {"admin", {"system:masters"}};
        return nlohmann::json::parse(server_->call(std::move(request)).body, nullptr, false);
    }

    template <class Condition>
    bool until(const Condition& condition) {
        const auto guard = std::chrono::steady_clock::now() + std::chrono::seconds(20);
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

    asio::io_context ioc_{1};
    const log::Logger log_{log::stderr_sink(), log::Level::None, "test"};
    std::unique_ptr<apiserver::ApiServer> server_;
    std::unique_ptr<kube::HttpKubeApi> api_;
    rt::TaskGroup tasks_{
        ioc_.get_executor(), [](const std::string& name, const std::exception_ptr& error) {
            EXPECT_EQ(error, nullptr) << name;
        }};
};

}  // namespace steelyard::speaker
