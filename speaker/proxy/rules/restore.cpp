#include "speaker/proxy/rules/rules.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <utility>

namespace steelyard::proxy {
namespace {

// What iptables-save printed: per table the rules of each chain, in order.
using SavedTable = std::map<std::string, std::vector<std::string>, std::less<>>;
using Saved = std::map<std::string, SavedTable, std::less<>>;

Saved parse_saved(std::string_view text) {
    Saved saved;
    SavedTable* table = nullptr;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) {
            line.remove_suffix(1);
        }
        if (line.starts_with('*')) {
            table = &saved[std::string(line.substr(1))];
        } else if (table != nullptr && line.starts_with(':')) {
            (*table)[std::string(line.substr(1, line.find(' ') - 1))];
        } else if (table != nullptr && line.starts_with("-A ")) {
            const std::string_view rule = line.substr(3);
            const std::size_t space = std::min(rule.find(' '), rule.size());
            const std::size_t body = std::min(space + 1, rule.size());
            (*table)[std::string(rule.substr(0, space))].emplace_back(rule.substr(body));
        }
    }
    return saved;
}

// The chain a rule leads into, or "".
std::string_view target_of(std::string_view rule) {
    for (const std::string_view option : {"-j ", "-g "}) {
        const std::size_t at = rule.rfind(option);
        if (at != std::string_view::npos && (at == 0 || rule[at - 1] == ' ')) {
            rule.remove_prefix(at + option.size());
            return rule.substr(0, rule.find(' '));
        }
    }
    return {};
}

bool is_hook(std::string_view chain) {
    constexpr std::array<std::string_view, 5> kHooks{
        "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};
    return std::find(kHooks.begin(), kHooks.end(), chain) != kHooks.end();
}

bool is_ours(const RuleTable& table, std::string_view chain) {
    return std::any_of(table.chains.begin(), table.chains.end(), [&](const Chain& ours) {
        return ours.name == chain;
    });
}

bool names_a_set(const std::vector<std::string>& rules) {
    return std::any_of(rules.begin(), rules.end(), [](const std::string& rule) {
        return rule.find("-set ") != std::string::npos;
    });
}

// Deletes the jumps from built-in chains into ours, except one of each that stays: those of
// `keep`, which it counts off.
std::string stale_jumps(
    const RuleTable& table, const SavedTable& found, std::map<std::string, bool>* kept
) {
    std::string text;
    for (const auto& [hook, rules] : found) {
        if (!is_hook(hook)) {
            continue;
        }
        for (const std::string& rule : rules) {
            const std::string_view target = target_of(rule);
            if (!is_ours(table, target)) {
                continue;
            }
            if (kept != nullptr) {
                const auto wanted = kept->find(hook + " " + rule);
                if (wanted != kept->end() && !std::exchange(wanted->second, true)) {
                    continue;
                }
            }
            text += "-D " + hook + " " + rule + "\n";
        }
    }
    return text;
}

// Whether a chain that is neither built in nor ours leads into this one.
bool used_elsewhere(const RuleTable& table, const SavedTable& found, std::string_view chain) {
    return std::any_of(found.begin(), found.end(), [&](const auto& item) {
        const auto& [name, rules] = item;
        return !is_hook(name) && !is_ours(table, name) &&
               std::any_of(rules.begin(), rules.end(), [&](const std::string& rule) {
                   return target_of(rule) == chain;
               });
    });
}

}  // namespace

std::optional<std::string> missing_rules(
    const std::vector<RuleTable>& rules, std::string_view saved
) {
    Saved current = parse_saved(saved);
    std::string text;
    for (const RuleTable& table : rules) {
        const SavedTable& found = current[table.name];
        std::string declarations;
        std::string body;
        for (const Chain& chain : table.chains) {
            const auto present = found.find(chain.name);
            if (present != found.end() && present->second == chain.rules) {
                continue;
            }
            declarations += ":" + chain.name + " - [0:0]\n";  // creates, or empties
            for (const std::string& rule : chain.rules) {
                body += "-A " + chain.name + " " + rule + "\n";
            }
        }
        std::map<std::string, bool> there;
        for (const Jump& jump : table.jumps) {
            there[jump.hook + " -j " + jump.target] = false;
        }
        body += stale_jumps(table, found, &there);
        // Inserted last to first, so that the first ends up on top.
        for (auto jump = table.jumps.rbegin(); jump != table.jumps.rend(); ++jump) {
            if (!there[jump->hook + " -j " + jump->target]) {
                body += "-I " + jump->hook + " 1 -j " + jump->target + "\n";
            }
        }
        if (!declarations.empty() || !body.empty()) {
            text += "*" + table.name + "\n" + declarations + body + "COMMIT\n";
        }
    }
    return text.empty() ? std::nullopt : std::optional(text);
}

std::string removal(const std::vector<RuleTable>& rules, std::string_view saved) {
    Saved current = parse_saved(saved);
    std::string text;
    for (const RuleTable& table : rules) {
        const SavedTable& found = current[table.name];
        std::string declarations;
        std::string deletions;
        for (const Chain& chain : table.chains) {
            const auto present = found.find(chain.name);
            if (present == found.end()) {
                continue;
            }
            const bool used = used_elsewhere(table, found, chain.name);
            if (!used || names_a_set(present->second)) {
                declarations += ":" + chain.name + " - [0:0]\n";
            }
            if (!used) {
                deletions += "-X " + chain.name + "\n";
            }
        }
        const std::string jumps = stale_jumps(table, found, nullptr);
        if (!declarations.empty() || !jumps.empty()) {
            text += "*" + table.name + "\n" + declarations + jumps + deletions + "COMMIT\n";
        }
    }
    return text;
}

}  // namespace steelyard::proxy
