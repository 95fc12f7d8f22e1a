#include "common/daemon/api_access.hpp"
#include "common/kube/client/file.hpp"
#include "common/log/log.hpp"
#include "speaker/app/run.hpp"
#include "speaker/options/options.hpp"

#include <cstdlib>
#include <iostream>
#include <string>
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

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    speaker::Parsed parsed = speaker::parse_options(arguments, variable, kube::read_small_file);
    if (!parsed.options) {
        (parsed.exit_status == 0 ? std::cout : std::cerr) << parsed.output;
        return parsed.exit_status;
    }
    speaker::Options& options = *parsed.options;
    auto client = daemon::client_config(options.kubeconfig, variable);
    if (!client) {
        return fail(to_string(client.error()));
    }
    client->user_agent = "steelyard-speaker/" SY_VERSION;
    options.ns = daemon::namespace_of(options.ns, options.kubeconfig, *client);
    const auto level = log::parse_level(options.log_level);
    if (!level) {
        return fail(level.error().context);
    }
    const log::Logger logger(log::stdout_sink(), *level, "speaker");
    return speaker::run(options, *client, logger);
}
