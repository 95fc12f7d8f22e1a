#pragma once

#include "common/base/time.hpp"
#include "common/kube/client/config.hpp"
#include "e2e/apiserver/json/json.hpp"
#include "e2e/apiserver/server/api_server.hpp"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>

// The lab's API server on a thread of its own, so that it takes the other core than what is
// measured, with our CustomResourceDefinitions and a latency for every request.
namespace steelyard::bench {

using json = apiserver::Json;

class Cluster {
public:
    explicit Cluster(Duration latency);
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;
    ~Cluster();

    [[nodiscard]] kube::ClientConfig client_config() const;
    [[nodiscard]] std::string kubeconfig() const { return server_->kubeconfig(); }
    // Runs it on the server's thread and waits for it.
    void with_server(const std::function<void(apiserver::ApiServer&)>& action);
    // A request without HTTP and without the latency; ends the program when it is refused.
    json call(const std::string& method, const std::string& path, const json& body = nullptr);

    void create_pool(const std::string& addresses);
    // s0, s1, ... of type LoadBalancer, all within one turn of the server: watches see them at
    // once.
    void create_services(std::size_t count);
    // How many show an address, and how many different ones.
    struct Assigned {
        std::size_t services = 0;
        std::size_t addresses = 0;
    };
    [[nodiscard]] Assigned assigned();
    [[nodiscard]] apiserver::RequestCount count(
        const std::string& verb, const std::string& resource
    );
    // Every status write of a Service is answered 429, Retry-After 1 s, until calm().
    void storm();
    void calm();

private:
    json call_here(const std::string& method, const std::string& path, const json& body);
    void load_definitions();

    asio::io_context ioc_{1};
    std::unique_ptr<apiserver::ApiServer> server_;
    std::thread thread_;
};

[[noreturn]] void give_up(const std::string& line);

}  // namespace steelyard::bench
