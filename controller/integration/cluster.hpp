#pragma once

#include "common/base/check.hpp"
#include "common/kube/client/http_api.hpp"
#include "controller/app/replica.hpp"
#include "e2e/apiserver/server/api_server.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// A real API server on loopback with our CustomResourceDefinitions, and the controller's shell
// against it over HTTP, all on one loop. Tests change objects, then turn the loop until the cluster
// shows what they expect.
namespace steelyard::controller::test {

using nlohmann::json;

class Cluster {
public:
    Cluster();
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;
    ~Cluster();

    // The only replica there is; it leads at once.
    void start_controller();
    // One of several, which elect their leader.
    void start_replica(const std::string& name);
    // One that answers the webhook and does nothing else.
    void start_webhook(const std::string& name);
    // As on SIGTERM; all of them without a name.
    void stop_replica(const std::string& name);
    void stop_controller();
    [[nodiscard]] bool leads(const std::string& name) const;
    [[nodiscard]] bool ready() const;  // and leads
    [[nodiscard]] bool ready(const std::string& name) const;
    [[nodiscard]] bool stale();
    // The page /explain.
    [[nodiscard]] std::string explain(const std::string& service) const;
    [[nodiscard]] apiserver::ApiServer& server() { return *server_; }
    [[nodiscard]] kube::KubeApi& api() { return *client_; }
    [[nodiscard]] asio::any_io_executor executor() { return ioc_.get_executor(); }
    // Runs a task beside the controller; it is joined at the end.
    void spawn(awaitable<void> task) { beside_.spawn("beside", std::move(task)); }

    // Turns the loop until it holds; false after 20 s, which only a failing test sees.
    [[nodiscard]] bool until(const std::function<bool()>& condition);

    void create(const std::string& collection, const json& object);
    void patch(const std::string& path, const json& merge);
    void remove(const std::string& path);
    [[nodiscard]] json get(const std::string& path);  // the Status when there is none

    void create_pool(const std::string& name, const std::vector<std::string>& addresses);
    void create_service(const std::string& name, const json& spec = json::object());

    // status.loadBalancer.ingress[*].ip, separated by blanks.
    [[nodiscard]] std::string address_of(const std::string& service);
    [[nodiscard]] std::string condition_of(const std::string& service);  // its reason
    [[nodiscard]] bool has_event(const std::string& object, const std::string& reason);
    [[nodiscard]] std::string version_of(const std::string& service);
    [[nodiscard]] std::string metrics();

private:
    // As one process.
    struct Running {
        Running(asio::any_io_executor executor, const kube::ClientConfig& client, Options options);
        std::unique_ptr<kube::HttpKubeApi> objects;
        std::unique_ptr<kube::HttpKubeApi> lease;
        metrics::Registry registry;
        rt::TaskGroup tasks;
        Replica replica;
        bool gone = false;
    };
    [[nodiscard]] kube::ClientConfig client_config() const;
    void start(
        const std::string& name,
        const ElectionOptions& election,
        WebhookMode webhook = WebhookMode::Disabled
    );
    static awaitable<void> hand_over(Running& running);
    json call(const std::string& method, const std::string& path, const json& body);
    void create_definition(const std::string& file);

    asio::io_context ioc_{1};
    std::unique_ptr<apiserver::ApiServer> server_;
    std::unique_ptr<kube::HttpKubeApi> client_;
    std::map<std::string, std::unique_ptr<Running>> replicas_;
    rt::TaskGroup beside_;
};

// The text at a JSON pointer, "" when there is none.
[[nodiscard]] std::string text_at(const json& object, const std::string& pointer);
[[nodiscard]] std::string service_path(const std::string& name);

}  // namespace steelyard::controller::test
