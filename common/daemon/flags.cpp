#include "common/daemon/flags.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

namespace steelyard::daemon {

std::optional<Ending> parse_flags(CLI::App& app, const std::vector<std::string>& arguments) {
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
        app.parse(reversed);
    } catch (const CLI::Success& success) {
        std::ostringstream text;
        app.exit(success, text, text);
        return Ending{text.str(), 0};
    } catch (const CLI::ParseError& error) {
        std::string line = error.what();
        std::replace(line.begin(), line.end(), '\n', ' ');
        return Ending{line, 2};
    }
    return std::nullopt;
}

void fill_from_environment(
    CLI::App& app,
    const std::string& flag,
    const char* variable,
    std::string& value,
    Environment environment
) {
    if (app.count(flag) != 0) {
        return;
    }
    if (const char* found = environment(variable)) {
        value = found;
    }
}

}  // namespace steelyard::daemon
