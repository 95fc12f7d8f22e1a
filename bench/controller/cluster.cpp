#include "bench/controller/cluster.hpp"

#include "common/rt/task_group.hpp"
#include "e2e/apiserver/server/yaml.hpp"

#include <boost/asio/post.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <limits>
#include <set>
#include <sstream>
#include <utility>

namespace steelyard::bench {
namespace {

constexpr const char* kServices = "/api/v1/namespaces/default/services";
constexpr const char* kMetallb = "/apis/metallb.io/v1beta1/namespaces/metallb-system/";

json pool(const std::string& addresses) {
    json object = json::object();
    object["metadata"]["name"] = "all";
    object["spec"]["addresses"].push_back(addresses);
    return object;
}

// As the API server stores one that Helm made.
json service(std::size_t number) {
    const std::string name = "s" + std::to_string(number);
    json object = json::object();
    object["apiVersion"] = "v1";
    object["kind"] = "Service";
    object["metadata"]["name"] = name;
    object["metadata"]["namespace"] = "default";
    object["metadata"]["labels"]["app.kubernetes.io/name"] = name;
    object["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm";
    object["metadata"]["annotations"]["meta.helm.sh/release-name"] = name;
    object["spec"]["type"] = "LoadBalancer";
    object["spec"]["selector"]["app"] = name;
    const std::string address =
        "10.96." + std::to_string(number / 250) + "." + std::to_string(number % 250 + 1);
    object["spec"]["clusterIP"] = address;
    object["spec"]["clusterIPs"].push_back(address);
    object["spec"]["ipFamilies"].push_back("IPv4");
    object["spec"]["ipFamilyPolicy"] = "SingleStack";
    json port = json::object();
    port["name"] = "http";
    port["port"] = 80;
    port["targetPort"] = 8080;
    port["protocol"] = "TCP";
    object["spec"]["ports"].push_back(std::move(port));
    return object;
}

}  // namespace

void give_up(const std::string& line) {
    std::fprintf(stderr, "controller bench: %s\n", line.c_str());
    std::exit(1);
}

Cluster::Cluster(Duration latency) {
    apiserver::ApiServerOptions options;
    options.latency = latency;
    auto server = apiserver::ApiServer::listen(ioc_.get_executor(), options);
    if (!server) {
        give_up(to_string(server.error()));
    }
    server_ = std::move(*server);
    thread_ = std::thread([this] {
        rt::TaskGroup tasks(ioc_.get_executor(), [](const std::string&, const auto& error) {
            if (error != nullptr) {
                give_up("the API server failed: " + rt::describe(error));
            }
        });
        tasks.spawn("api server", server_->run());
        ioc_.run();
    });
    load_definitions();
    json ns = json::object();
    ns["metadata"]["name"] = "metallb-system";
    (void)call("POST", "/api/v1/namespaces", ns);
}

Cluster::~Cluster() {
    asio::post(ioc_, [this] { server_->stop(); });
    thread_.join();
}

kube::ClientConfig Cluster::client_config() const {
    kube::ClientConfig config;
    config.host = "127.0.0.1";
    config.port = server_->port();
    config.tls = false;
    return config;
}

void Cluster::with_server(const std::function<void(apiserver::ApiServer&)>& action) {
    std::promise<void> done;
    asio::post(ioc_, [&] {
        action(*server_);
        done.set_value();
    });
    done.get_future().wait();
}

json Cluster::call_here(const std::string& method, const std::string& path, const json& body) {
    apiserver::ApiRequest request;
    request.method = method;
    request.path = path;
    request.content_type = "application/json";
    request.accept = "application/json";
    request.body = body.is_null() ? std::string() : body.dump();
    request.user = {"admin", {"system:masters"}};
    const apiserver::ApiReply reply = server_->call(std::move(request));
    if (reply.status >= 400) {
        give_up(method + " " + path + ": " + reply.body);
    }
    return json::parse(reply.body, nullptr, false);
}

json Cluster::call(const std::string& method, const std::string& path, const json& body) {
    json reply;
    with_server([&](apiserver::ApiServer&) { reply = call_here(method, path, body); });
    return reply;
}

void Cluster::load_definitions() {
    for (const auto& file : std::filesystem::directory_iterator(SY_CRD_FOLDER)) {
        if (file.path().extension() != ".yaml") {
            continue;
        }
        std::ifstream stream(file.path());
        std::ostringstream text;
        text << stream.rdbuf();
        const auto object = apiserver::yaml_to_json(text.str());
        const json definition = object ? json::parse(object->dump(), nullptr, false) : json();
        if (definition.value("kind", "") == "CustomResourceDefinition") {
            (void
            )call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
        }
    }
}

void Cluster::create_pool(const std::string& addresses) {
    (void)call("POST", std::string(kMetallb) + "ipaddresspools", pool(addresses));
}

void Cluster::create_services(std::size_t count) {
    with_server([&](apiserver::ApiServer& server) {
        for (std::size_t i = 0; i < count; ++i) {
            (void)server.put("services.", service(i));
        }
    });
}

Cluster::Assigned Cluster::assigned() {
    Assigned assigned;
    std::set<std::string> addresses;
    const json list = call("GET", kServices);
    for (const json& service : list["items"]) {
        const json& status = service["status"];
        if (!status.contains("loadBalancer") || !status["loadBalancer"].contains("ingress")) {
            continue;
        }
        ++assigned.services;
        for (const json& ingress : status["loadBalancer"]["ingress"]) {
            addresses.insert(ingress.value("ip", ""));
        }
    }
    assigned.addresses = addresses.size();
    return assigned;
}

apiserver::RequestCount Cluster::count(const std::string& verb, const std::string& resource) {
    apiserver::RequestCount count;
    with_server([&](apiserver::ApiServer& server) { count = server.counts().of(verb, resource); });
    return count;
}

void Cluster::storm() {
    apiserver::FaultRule rule;
    rule.verb = "patch";
    rule.resource = "services/status";
    rule.count = std::numeric_limits<unsigned>::max();
    rule.status = 429;
    rule.retry_after = 1;
    with_server([&](apiserver::ApiServer& server) { server.faults().add(rule); });
}

void Cluster::calm() {
    with_server([](apiserver::ApiServer& server) { server.faults().clear(); });
}

}  // namespace steelyard::bench
