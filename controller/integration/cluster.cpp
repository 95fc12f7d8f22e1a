#include "controller/integration/cluster.hpp"

#include "e2e/apiserver/server/yaml.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

namespace steelyard::controller::test {
namespace {

// What the tasks say is not of interest here; that they failed is.
rt::TaskGroup::OnExit fail_on_error() {
    return [](const std::string& name, const std::exception_ptr& error) {
        if (error != nullptr) {
            ADD_FAILURE() << name << ": " << rt::describe(error);
        }
    };
}

log::Logger quiet_logger() {
    return log::Logger(log::stderr_sink(), log::Level::None, "test");
}

}  // namespace

std::string text_at(const json& object, const std::string& pointer) {
    return object.value(json::json_pointer(pointer), "");
}

std::string service_path(const std::string& name) {
    return "/api/v1/namespaces/default/services/" + name;
}

Cluster::Running::Running(
    asio::any_io_executor executor, const kube::ClientConfig& client, Options options
)
    : objects(*kube::HttpKubeApi::make(client)),
      lease(*kube::HttpKubeApi::make(client)),
      tasks(executor, fail_on_error()),
      replica(
          executor,
          {*objects, *lease},
          quiet_logger(),
          registry,
          options,
          std::hash<std::string>()(options.pod_name),
          [] { return std::chrono::system_clock::now(); },
          fail_on_error()
      ) {}

Cluster::Cluster() : beside_(ioc_.get_executor(), fail_on_error()) {
    auto server = apiserver::ApiServer::listen(ioc_.get_executor(), {});
    SY_CHECK(server.has_value(), "the test's API server must listen");
    server_ = std::move(*server);
    beside_.spawn("api server", server_->run());
    for (const auto& file : std::filesystem::directory_iterator(SY_CRD_FOLDER)) {
        if (file.path().extension() == ".yaml") {
            create_definition(file.path().filename());
        }
    }
    create("/api/v1/namespaces", json{{"metadata", {{"name", "metallb-system"}}}});
    client_ = *kube::HttpKubeApi::make(client_config());
}

Cluster::~Cluster() {
    stop_controller();
    beside_.cancel();
    EXPECT_TRUE(until([this] { return beside_.size() == 0; }));
}

kube::ClientConfig Cluster::client_config() const {
    kube::ClientConfig config;
    config.host = "127.0.0.1";
    config.port = server_->port();
    config.tls = false;
    return config;
}

void Cluster::start(const std::string& name, const ElectionOptions& election, WebhookMode webhook) {
    Options options;
    options.ns = "metallb-system";
    options.pod_name = name;
    options.election = election;
    options.webhook.mode = webhook;
    options.webhook.port = 0;
    auto running = std::make_unique<Running>(ioc_.get_executor(), client_config(), options);
    running->replica.start(running->tasks);
    replicas_.emplace(name, std::move(running));
}

void Cluster::start_controller() {
    ElectionOptions alone;
    alone.enabled = false;
    start("only", alone);
}

void Cluster::start_replica(const std::string& name) {
    ElectionOptions election;
    election.timings = {std::chrono::seconds(3), std::chrono::seconds(2), std::chrono::seconds(1)};
    start(name, election);
}

void Cluster::start_webhook(const std::string& name) {
    start(name, {}, WebhookMode::OnlyWebhook);
}

awaitable<void> Cluster::hand_over(Running& running) {
    co_await running.replica.hand_over();
    running.gone = true;
}

void Cluster::stop_replica(const std::string& name) {
    Running& running = *replicas_.at(name);
    beside_.spawn("hand over", hand_over(running));
    EXPECT_TRUE(until([&] { return running.gone; }));
    running.tasks.cancel();
    EXPECT_TRUE(until([&] { return running.tasks.size() == 0; }));
    replicas_.erase(name);
}

void Cluster::stop_controller() {
    while (!replicas_.empty()) {
        stop_replica(std::string(replicas_.begin()->first));
    }
}

bool Cluster::leads(const std::string& name) const {
    return replicas_.at(name)->replica.leading();
}

std::string Cluster::explain(const std::string& service) const {
    http_server::Request request;
    request.query.emplace("service", service);
    return replicas_.begin()->second->replica.explain(request).body;
}

bool Cluster::ready() const {
    const Replica& replica = replicas_.begin()->second->replica;
    return replica.leading() && replica.not_ready().empty();
}

bool Cluster::ready(const std::string& name) const {
    return replicas_.at(name)->replica.not_ready().empty();
}

bool Cluster::stale() {
    return metrics().find("\nmetallb_k8s_client_config_stale_bool 1") != std::string::npos;
}

bool Cluster::until(const std::function<bool()>& condition) {
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

json Cluster::call(const std::string& method, const std::string& path, const json& body) {
    apiserver::ApiRequest request;
    request.method = method;
    request.path = path;
    request.content_type = method == "PATCH" ? "application/merge-patch+json" : "application/json";
    request.accept = "application/json";
    request.body = body.is_null() ? std::string() : body.dump();
    request.user = {"admin", {"system:masters"}};
    const apiserver::ApiReply reply = server_->call(std::move(request));
    return json::parse(reply.body, nullptr, false);
}

void Cluster::create(const std::string& collection, const json& object) {
    const json reply = call("POST", collection, object);
    EXPECT_NE(reply.value("kind", ""), "Status") << reply.dump();
}

void Cluster::patch(const std::string& path, const json& merge) {
    const json reply = call("PATCH", path, merge);
    EXPECT_NE(reply.value("kind", ""), "Status") << reply.dump();
}

void Cluster::remove(const std::string& path) {
    (void)call("DELETE", path, json());
}

json Cluster::get(const std::string& path) {
    return call("GET", path, json());
}

void Cluster::create_definition(const std::string& file) {
    std::ifstream stream(std::string(SY_CRD_FOLDER) + "/" + file);
    std::ostringstream text;
    text << stream.rdbuf();
    const auto object = apiserver::yaml_to_json(text.str());
    SY_CHECK(object.has_value(), "our CustomResourceDefinitions are YAML");
    create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", *object);
}

void Cluster::create_pool(const std::string& name, const std::vector<std::string>& addresses) {
    json pool = json::object();
    pool["apiVersion"] = "metallb.io/v1beta1";
    pool["kind"] = "IPAddressPool";
    pool["metadata"]["name"] = name;
    pool["spec"]["addresses"] = addresses;
    create("/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools", pool);
}

void Cluster::create_service(const std::string& name, const json& spec) {
    json service = json::object();
    service["metadata"]["name"] = name;
    service["spec"]["type"] = "LoadBalancer";
    service["spec"]["ports"] = json::array({json{{"port", 80}}});
    service["spec"].merge_patch(spec);
    create("/api/v1/namespaces/default/services", service);
}

std::string Cluster::address_of(const std::string& service) {
    const json object = get(service_path(service));
    std::string text;
    const json ingress =
        object.value(json::json_pointer("/status/loadBalancer/ingress"), json::array());
    for (const json& entry : ingress) {
        if (entry.contains("ip")) {
            text += (text.empty() ? "" : " ") + entry["ip"].get<std::string>();
        }
    }
    return text;
}

std::string Cluster::condition_of(const std::string& service) {
    const json object = get(service_path(service));
    const json list = object.value(json::json_pointer("/status/conditions"), json::array());
    for (const json& condition : list) {
        if (condition["type"] == controller_plan::kConditionType) {
            return condition["reason"];
        }
    }
    return "";
}

bool Cluster::has_event(const std::string& object, const std::string& reason) {
    const json list = get("/api/v1/events");
    for (const json& event : list.value("items", json::array())) {
        if (text_at(event, "/involvedObject/name") == object &&
            text_at(event, "/reason") == reason) {
            return true;
        }
    }
    return false;
}

std::string Cluster::version_of(const std::string& service) {
    return text_at(get(service_path(service)), "/metadata/resourceVersion");
}

std::string Cluster::metrics() {
    Running& running = *replicas_.begin()->second;
    running.replica.update_gauges();
    return running.registry.text();
}

}  // namespace steelyard::controller::test
