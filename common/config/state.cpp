#include "common/config/state.hpp"

#include <algorithm>

namespace steelyard::config {
namespace {

constexpr std::size_t kMaxSummary = 32'000;  // a condition's message ends at 32768

std::string component_of(const StateOf& of) {
    return of.node.empty() ? "controller" : "speaker";
}

std::string_view condition_type(const StateOf& of) {
    return of.node.empty() ? "poolReconcilerValid" : "configReconcilerValid";
}

// The lines, as many as fit, and how many do not.
std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (text.size() + lines[i].size() > kMaxSummary) {
            return text + "and " + std::to_string(lines.size() - i) + " more";
        }
        text += lines[i] + (i + 1 < lines.size() ? "\n" : "");
    }
    return text;
}

std::string summary(const StateInput& input) {
    std::vector<std::string> lines;
    for (const Error& error : input.unreadable) {
        lines.push_back(error.context);
    }
    for (const Problem& problem : input.problems) {
        lines.push_back(to_string(problem));
    }
    return joined(lines);
}

const kube::Condition* find_condition(
    const kube::ConfigurationState& state, std::string_view type
) {
    const auto found = std::find_if(
        state.conditions.begin(),
        state.conditions.end(),
        [&](const kube::Condition& condition) { return condition.type == type; }
    );
    return found == state.conditions.end() ? nullptr : &*found;
}

}  // namespace

kube::ObjectKey state_key(const StateOf& of) {
    return {of.ns, of.node.empty() ? "controller" : "speaker-" + of.node};
}

kube::ConfigurationState desired_state(
    const StateOf& of,
    const StateInput& input,
    const std::optional<kube::ConfigurationState>& before,
    WallTime now
) {
    kube::ConfigurationState state;
    state.meta.key = state_key(of);
    state.meta.labels.emplace(kube::kComponentLabel, component_of(of));
    if (!of.node.empty()) {
        state.meta.labels.emplace(kube::kNodeLabel, of.node);
    }
    state.owner = of.owner;
    kube::Condition condition;
    condition.type = condition_type(of);
    if (!input.failure.empty() || !input.known) {
        state.result = "Unknown";
        condition.reason = "UnknownError";
        condition.message = input.failure.empty() ? "not read yet" : joined({input.failure});
    } else if (input.problems.empty() && input.unreadable.empty()) {
        state.result = "Valid";
        condition.status = true;
        condition.reason = "Reconciled";
    } else {
        state.result = "Invalid";
        condition.reason = "ConfigurationError";
        condition.message = summary(input);
    }
    state.error_summary = condition.message;
    const kube::Condition* last = before ? find_condition(*before, condition.type) : nullptr;
    const bool unchanged = last != nullptr && last->status == condition.status;
    condition.last_transition =
        unchanged ? last->last_transition : std::chrono::floor<std::chrono::seconds>(now);
    state.conditions.push_back(std::move(condition));
    return state;
}

bool differs(const kube::ConfigurationState& desired, const kube::ConfigurationState& existing) {
    const auto same = [&](const kube::Condition& condition) {
        const kube::Condition* there = find_condition(existing, condition.type);
        return there != nullptr && *there == condition;
    };
    const auto labelled = [&](const auto& label) {
        const auto there = existing.meta.labels.find(label.first);
        return there != existing.meta.labels.end() && there->second == label.second;
    };
    return desired.result != existing.result || desired.error_summary != existing.error_summary ||
           (desired.owner && desired.owner != existing.owner) ||
           !std::all_of(desired.conditions.begin(), desired.conditions.end(), same) ||
           !std::all_of(desired.meta.labels.begin(), desired.meta.labels.end(), labelled);
}

}  // namespace steelyard::config
