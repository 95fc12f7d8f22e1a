#pragma once

#include "common/config/config.hpp"
#include "common/kube/model/core.hpp"
#include "controller/sim/log.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

// The model API server: Services as JSON with resourceVersions, status writes that are refused when
// the object changed meanwhile, and one log a kind for watches. Pure.
namespace steelyard::controller_sim {

using ServicePtr = std::shared_ptr<const kube::Service>;

struct ServiceChange {
    kube::ObjectKey key;
    ServicePtr service;  // null: deleted
};
struct NamespaceChange {
    std::string name;
    kube::Labels labels;
};

class Cluster {
public:
    enum class Answer { Done, Conflict, NotFound };
    struct Stored {
        nlohmann::json object;
        ServicePtr decoded;
    };
    using Services = std::map<kube::ObjectKey, Stored>;

    // What users do. A Service is `spec` and `annotations`; the rest is made here.
    void create(const kube::ObjectKey& key, const nlohmann::json& object, WallTime now);
    void edit(const kube::ObjectKey& key, const nlohmann::json& merge);
    void remove(const kube::ObjectKey& key);
    void set_config(std::shared_ptr<const config::Config> config);
    void set_labels(const std::string& ns, const kube::Labels& labels);

    // What a controller writes: a merge patch that carries the version it was built from.
    [[nodiscard]] Answer patch_status(const kube::ObjectKey& key, const nlohmann::json& patch);

    [[nodiscard]] const Stored* find(const kube::ObjectKey& key) const;
    [[nodiscard]] const Services& services() const { return services_; }
    [[nodiscard]] const std::shared_ptr<const config::Config>& config() const { return config_; }
    [[nodiscard]] const std::map<std::string, kube::Labels>& namespaces() const {
        return namespaces_;
    }
    // Status writes that changed something.
    [[nodiscard]] std::uint64_t writes() const { return writes_; }

    Log<ServiceChange> service_log;
    Log<std::shared_ptr<const config::Config>> config_log;
    Log<NamespaceChange> namespace_log;

private:
    void store(const kube::ObjectKey& key, nlohmann::json object);

    Services services_;
    std::shared_ptr<const config::Config> config_ = std::make_shared<config::Config>();
    std::map<std::string, kube::Labels> namespaces_;
    std::uint64_t version_ = 0;
    std::uint64_t writes_ = 0;
};

}  // namespace steelyard::controller_sim
