#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/config/config.hpp"
#include "common/kube/model/configuration_state.hpp"

#include <optional>
#include <string>
#include <vector>

// What a daemon's ConfigurationState should say, from what it knows. Pure: the daemon compares the
// answer with the object that exists and writes when they differ.
namespace steelyard::config {

// Which daemon, and where.
struct StateOf {
    std::string ns;    // the daemon's own
    std::string node;  // of a speaker; "": the controller
    std::optional<kube::PodOwner> owner = std::nullopt;
};
[[nodiscard]] kube::ObjectKey state_key(const StateOf& of);  // "controller", "speaker-<node>"

// What the daemon knows about its configuration.
struct StateInput {
    // parse() of the objects as they are; empty as well while nothing is known yet.
    std::vector<Problem> problems = {};
    // Objects of the configuration that do not decode, and other mistakes of the user with no
    // Problem of their own; one line each.
    std::vector<Error> unreadable = {};
    // The objects were read. Until then, and while `failure` is set, the verdict is Unknown.
    bool known = false;
    std::string failure = {};  // why the configuration could not be read or put to use; "": nothing
};

// result Valid with the condition True (Reconciled), Invalid with False (ConfigurationError),
// Unknown with False (UnknownError). The time of the condition is `before`'s unless its status
// changes. Without owner and labels of others in `before`: server-side apply leaves those alone.
[[nodiscard]] kube::ConfigurationState desired_state(
    const StateOf& of,
    const StateInput& input,
    const std::optional<kube::ConfigurationState>& before,
    WallTime now
);

// Whether `existing` has to be written to say what `desired` says.
[[nodiscard]] bool differs(
    const kube::ConfigurationState& desired, const kube::ConfigurationState& existing
);

}  // namespace steelyard::config
