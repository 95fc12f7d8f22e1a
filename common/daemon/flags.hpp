#pragma once

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

// How a daemon reads its command line: CLI11 for the syntax, a variable of the environment where a
// flag was not given. CLI11's own envname() reads the process's environment, which a test cannot
// set for itself alone, so the look-up is passed in.
namespace steelyard::daemon {

// Looks up an environment variable; nullptr when unset.
using Environment = const char* (*)(const char* name);

// Why the program is not to run: help or version (exit 0), or one line without its end that says
// what is wrong (exit 2).
struct Ending {
    std::string text;
    int exit_status = 0;
};

// `arguments` are without the program's name. Nothing when the program is to run.
[[nodiscard]] std::optional<Ending> parse_flags(
    CLI::App& app, const std::vector<std::string>& arguments
);

// A flag wins over its variable. Call after parse_flags().
void fill_from_environment(
    CLI::App& app,
    const std::string& flag,
    const char* variable,
    std::string& value,
    Environment environment
);

}  // namespace steelyard::daemon
