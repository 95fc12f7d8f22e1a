#include "speaker/io/iptables/failure.hpp"

#include <charconv>
#include <cstddef>
#include <optional>
#include <set>
#include <sstream>
#include <vector>

namespace steelyard::iptables {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    std::istringstream in{std::string(text)};
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

// "line 7 failed", "line: 7", "line 7: ...": legacy and nft say it differently.
std::optional<std::size_t> line_number(std::string_view complaint) {
    const std::size_t word = complaint.find("line");
    if (word == std::string_view::npos) {
        return std::nullopt;
    }
    const std::size_t digit = complaint.find_first_of("0123456789", word);
    if (digit == std::string_view::npos || digit > word + std::string_view("line: ").size()) {
        return std::nullopt;
    }
    std::size_t number = 0;
    std::from_chars(complaint.data() + digit, complaint.data() + complaint.size(), number);
    return number;
}

// The kernel modules behind a rule's matches and extended targets.
std::string modules_of(const std::string& rule) {
    std::set<std::string> modules;
    std::istringstream in(rule);
    for (std::string word; in >> word;) {
        if (word == "-m" && in >> word) {
            modules.insert("xt_" + word);
        } else if (word == "-j" && in >> word && word == "SET") {
            modules.insert("xt_set");
        }
    }
    std::string joined;
    for (const std::string& module : modules) {
        joined += (joined.empty() ? "" : ", ") + module;
    }
    return joined;
}

}  // namespace

std::string explain_failure(std::string_view printed, std::string_view input) {
    std::string joined;
    std::optional<std::size_t> number;
    for (const std::string& line : lines_of(printed)) {
        if (line.empty() || line.starts_with("Try `") || line.starts_with("Try '")) {
            continue;
        }
        joined += (joined.empty() ? "" : "; ") + line;
        number = number ? number : line_number(line);
    }
    const std::vector<std::string> rules = lines_of(input);
    if (!number || *number == 0 || *number > rules.size()) {
        return joined;
    }
    const std::string& rule = rules[*number - 1];
    joined += ": " + rule;
    if (const std::string modules = modules_of(rule); !modules.empty()) {
        joined += " (needs " + modules + ")";
    }
    return joined;
}

}  // namespace steelyard::iptables
