#include "common/kube/client/config.hpp"
#include "common/log/log.hpp"
#include "speaker/app/options.hpp"
#include "speaker/app/run.hpp"

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

// steelyard-speaker: announces addresses from this node and programs its service proxy. Exit
// status: 0 after SIGTERM, 1 after a failure at run time, 2 when it was told something wrong.
namespace {

using namespace steelyard;

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

Result<kube::ClientConfig> client_config(const speaker::Options& options) {
    if (!options.kubeconfig.empty()) {
        return kube::load_kubeconfig(options.kubeconfig);
    }
    kube::InCluster where;
    where.service_host = variable("KUBERNETES_SERVICE_HOST");
    where.service_port = variable("KUBERNETES_SERVICE_PORT");
    return kube::in_cluster_config(where);
}

int fail(const std::string& line) {
    std::cerr << "steelyard-speaker: " << line << "\n";
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    speaker::Parsed parsed = speaker::parse_options(arguments, [](const char* name) {
        return static_cast<const char*>(std::getenv(name));
    });
    if (!parsed.options) {
        (parsed.exit_status == 0 ? std::cout : std::cerr) << parsed.output;
        return parsed.exit_status;
    }
    speaker::Options& options = *parsed.options;
    auto client = client_config(options);
    if (!client) {
        return fail(client.error().context);
    }
    client->user_agent = "steelyard-speaker/" SY_VERSION;
    if (options.ns.empty()) {
        // A kubeconfig's namespace is the user's habit, not where the product lives.
        options.ns = options.kubeconfig.empty() ? client->ns : "metallb-system";
    }
    const auto level = log::parse_level(options.log_level);
    if (!level) {
        return fail(level.error().context);
    }
    const log::Logger logger(log::stdout_sink(), *level, "speaker");
    return speaker::run(options, *client, logger);
}
