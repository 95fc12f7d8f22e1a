#pragma once

#include "speaker/options/proxy_settings.hpp"

#include <list>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

// kube-proxy's flags: those of the table of settings, and those that are taken, so that a command
// line can be kept, and not followed, which is told.
namespace steelyard::speaker {

class ProxyFlags {
public:
    void add_to(CLI::App& app);  // which this outlives

    // After parsing.
    [[nodiscard]] Result<> read(ProxySettings& settings) const;
    // One line for each flag that was given and is not followed.
    [[nodiscard]] std::vector<std::string> ignored() const;

private:
    struct Given {
        const Setting* setting;  // nullptr: not followed
        std::string flag;
        const char* why;
        CLI::Option* option;
        std::string text;
        bool truth = false;
    };
    std::list<Given> given_;  // stay put: `app` writes into them
};

}  // namespace steelyard::speaker
