#include "common/kube/faults/model_server.hpp"

#include "common/kube/faults/kinds.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

namespace steelyard::kube::faults {
namespace {

using nlohmann::json;

std::uint64_t number(const std::string& text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

ModelAnswer refusal(unsigned code, const char* reason, const char* message = "") {
    ModelAnswer answer;
    answer.status = code;
    answer.body = status_body(code, reason, message);
    return answer;
}

ModelAnswer too_large() {
    return refusal(504, "Timeout", "Too large resource version: 9, current: 5");
}

std::string parameter(const std::map<std::string, std::string>& query, const char* name) {
    const auto found = query.find(name);
    return found == query.end() ? std::string() : found->second;
}

}  // namespace

std::string event_line(const char* type, const std::string& object) {
    return std::string(R"({"type":")") + type + R"(","object":)" + object + "}\n";
}

std::string status_body(unsigned code, const char* reason, const char* message) {
    json status;
    status["kind"] = "Status";
    status["code"] = code;
    status["reason"] = reason;
    status["message"] = message;
    return status.dump();
}

std::map<std::string, std::string> query_of(const std::string& target) {
    std::map<std::string, std::string> query;
    std::size_t at = target.find('?');
    while (at != std::string::npos && at < target.size()) {
        const std::size_t end = std::min(target.find('&', at + 1), target.size());
        const std::size_t equals = target.find('=', at);
        std::string value;
        for (std::size_t i = equals + 1; i < end; ++i) {
            if (target[i] == '%') {
                unsigned byte = 0;
                std::from_chars(target.data() + i + 1, target.data() + i + 3, byte, 16);
                value += static_cast<char>(byte);
                i += 2;
            } else {
                value += target[i];
            }
        }
        query[target.substr(at + 1, equals - at - 1)] = value;
        at = end;
    }
    return query;
}

ModelServer::ModelServer(const ResourceType& type, bool watch_list, Rng& rng)
    : type_(type), watch_list_(watch_list), rng_(rng) {
    states_[version_];
}

const State& ModelServer::state_at(std::uint64_t version) const {
    static const State kNone;
    const auto found = states_.find(version);
    return found == states_.end() ? kNone : found->second;
}

void ModelServer::random_write() {
    constexpr std::uint64_t kNames = 7;
    ObjectKey key;
    key.name = "object" + std::to_string(rng_.below(kNames));
    if (type_.namespaced) {
        key.ns = rng_.below(2) == 0 ? "blue" : "red";
    }
    if (state().contains(key) && rng_.below(3) == 0) {
        erase(key);
    } else {
        put(key);
    }
}

void ModelServer::put(const ObjectKey& key) {
    State next = state();
    const bool known = next.contains(key);
    auto stored = std::make_shared<Stored>();
    stored->object = random_object(type_, key, rng_);
    if (rng_.below(25) == 0) {
        spoil(stored->object);
    }
    stored->object["metadata"]["resourceVersion"] = std::to_string(version_ + 1);
    stored->object["metadata"]["uid"] = key.ns + key.name;
    stored->text = stored->object.dump();
    next[key] = stored;
    commit(std::move(next), known ? "MODIFIED" : "ADDED", stored->text);
}

void ModelServer::erase(const ObjectKey& key) {
    State next = state();
    json object = next.at(key)->object;
    object["metadata"]["resourceVersion"] = std::to_string(version_ + 1);
    next.erase(key);
    commit(std::move(next), "DELETED", object.dump());
}

void ModelServer::commit(State next, const char* type, const std::string& text) {
    states_[++version_] = std::move(next);
    log_.push_back(ModelEvent{version_, event_line(type, text)});
}

void ModelServer::compact() {
    compacted_ = std::max(compacted_, version_ - rng_.below(4));
}

void ModelServer::restore(bool properly) {
    constexpr std::uint64_t kBump = 1000;
    const auto backup =
        std::next(states_.begin(), static_cast<std::ptrdiff_t>(rng_.below(states_.size())));
    const State state = backup->second;
    const std::uint64_t old_version = backup->first;
    std::erase_if(log_, [&](const ModelEvent& event) { return event.version > old_version; });
    version_ = properly ? version_ + kBump : old_version;
    compacted_ = properly ? version_ : std::min(compacted_, version_);
    states_[version_] = state;
}

ModelAnswer ModelServer::answer(const std::string& target) {
    const auto query = query_of(target);
    return parameter(query, "watch") == "true" ? watch(query) : list(query);
}

// A continue token is "<version>/<how many>".
ModelAnswer ModelServer::list(const std::map<std::string, std::string>& query) {
    const std::string token = parameter(query, "continue");
    std::uint64_t at = version_;
    std::size_t skip = 0;
    if (!token.empty()) {
        at = number(token);
        skip = number(token.substr(token.find('/') + 1));
        if (at < compacted_ || !states_.contains(at)) {
            return refusal(410, "Expired", "The provided continue parameter is too old");
        }
    } else if (number(parameter(query, "resourceVersion")) > version_) {
        return too_large();
    }
    // So that a few objects make several pages.
    constexpr std::size_t kPage = 3;
    const State& state = state_at(at);
    const std::size_t most = parameter(query, "limit").empty() ? state.size() : kPage;
    std::string items;
    std::size_t index = 0;
    for (const auto& [key, stored] : state) {
        if (index >= skip && index < skip + most) {
            items += (items.empty() ? "" : ", ") + stored->text;
        }
        ++index;
    }
    json metadata;
    metadata["resourceVersion"] = std::to_string(at);
    if (skip + most < state.size()) {
        metadata["continue"] = std::to_string(at) + "/" + std::to_string(skip + most);
    }
    ModelAnswer answer;
    const bool null = items.empty() && rng_.below(2) == 0;
    const std::string list = null ? "null" : "[" + items + "]";
    answer.body = R"({"kind":"List","metadata":)" + metadata.dump() + R"(,"items":)" + list + "}\n";
    return answer;
}

ModelAnswer ModelServer::watch(const std::map<std::string, std::string>& query) {
    const std::uint64_t from = number(parameter(query, "resourceVersion"));
    ModelAnswer answer;
    answer.watch = true;
    answer.stream.sent = from;
    if (parameter(query, "sendInitialEvents") == "true") {
        if (!watch_list_) {
            return refusal(422, "Invalid", "sendInitialEvents is forbidden");
        }
        if (from > version_) {
            return too_large();
        }
        for (const auto& [key, stored] : state()) {
            answer.events.push_back(ModelEvent{0, event_line("ADDED", stored->text)});
        }
        answer.stream.sent = version_;
        answer.stream.initial = true;
    } else if (from < compacted_ && rng_.below(2) == 0) {
        return refusal(410, "Expired", "too old resource version");
    }
    return answer;
}

std::vector<ModelEvent> ModelServer::events(ModelStream& stream) const {
    std::vector<ModelEvent> result;
    for (const ModelEvent& event : log_) {
        if (event.version > stream.sent) {
            result.push_back(event);
            stream.sent = event.version;
        }
    }
    return result;
}

std::string ModelServer::bookmark(std::uint64_t version, bool ends_initial) const {
    json object;
    object["kind"] = type_.kind;
    object["metadata"]["resourceVersion"] = std::to_string(version);
    if (ends_initial) {
        object["metadata"]["annotations"]["k8s.io/initial-events-end"] = "true";
    }
    return event_line("BOOKMARK", object.dump());
}

}  // namespace steelyard::kube::faults
