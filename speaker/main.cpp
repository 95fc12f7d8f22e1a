#include "common/daemon/api_access.hpp"
#include "common/kube/client/file.hpp"
#include "common/log/log.hpp"
#include "speaker/app/run.hpp"
#include "speaker/io/dataplane/kernel_settings.hpp"
#include "speaker/options/kube_proxy_config.hpp"
#include "speaker/options/node_settings.hpp"
#include "speaker/options/options.hpp"

#include <sys/resource.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

// steelyard-speaker: announces addresses from this node and programs its service proxy. Exit
// status: 0 after SIGTERM, 1 after a failure at run time, 2 when it was told something wrong.
namespace {

using namespace steelyard;

const char* variable(const char* name) {
    return std::getenv(name);
}

int fail(const std::string& line) {
    std::cerr << "steelyard-speaker: " << line << "\n";
    return 2;
}

int write_config(const speaker::Options& options) {
    std::ofstream file(options.write_config_to);
    file << speaker::write_kube_proxy_config(options) << std::flush;
    return file ? 0 : fail("--write-config-to: " + options.write_config_to + ": cannot be written");
}

// Each health-check node port takes two descriptors, and a container may start with a soft limit
// of 1024.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int clean_node(const speaker::Options& options) {
    const auto removed = speaker::cleanup(options);
    if (!removed) {
        return fail("--cleanup: " + to_string(removed.error()));
    }
    for (const std::string& line : *removed) {
        std::cout << line << "\n";
    }
    if (removed->empty()) {
        std::cout << "there is nothing of ours in the kernel\n";
    }
    return 0;
}

// --init-only: what needs a privileged container, and only that.
int prepare_node(const speaker::Options& options, const log::Logger& logger) {
    const unsigned cores = std::thread::hardware_concurrency();
    const auto written = speaker::write_node_settings(
        speaker::node_settings(options.proxy, cores, dataplane::running_kernel())
    );
    for (const std::string& line : written.changed) {
        logger.info("setting written", {{"setting", line}});
    }
    for (const std::string& line : written.missing) {
        logger.warn("setting left as it is", {{"setting", line}});
    }
    for (const std::string& line : written.fatal) {
        logger.error("Services cannot work without a setting", {{"setting", line}});
    }
    return written.fatal.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    speaker::Parsed parsed = speaker::parse_options(arguments, variable, kube::read_small_file);
    if (!parsed.options) {
        (parsed.exit_status == 0 ? std::cout : std::cerr) << parsed.output;
        return parsed.exit_status;
    }
    speaker::Options& options = *parsed.options;
    if (!options.write_config_to.empty()) {
        return write_config(options);
    }
    const auto level = log::parse_level(options.log_level);
    if (!level) {
        return fail(level.error().context);
    }
    if (options.cleanup) {
        return clean_node(options);
    }
    const log::Logger logger(log::stdout_sink(), *level, "speaker");
    if (options.init_only) {
        return prepare_node(options, logger);
    }
    auto client = daemon::client_config(options.kubeconfig, variable);
    if (!client) {
        return fail(to_string(client.error()));
    }
    client->user_agent = "steelyard-speaker/" SY_VERSION;
    raise_descriptor_limit();
    options.ns = daemon::namespace_of(options.ns, options.kubeconfig, *client);
    return speaker::run(options, *client, logger);
}
