#pragma once

#include "common/base/rng.hpp"
#include "common/kube/model/resource.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

// One collection of an API server, as LIST and WATCH show it, without sockets and time: versions,
// a history that can be lost, pages of a snapshot, WatchList. Every state it ever had stays known,
// so that a test can say what a client at some version must hold.
namespace steelyard::kube::faults {

struct Stored {
    nlohmann::json object;
    std::string text;
};
using State = std::map<ObjectKey, std::shared_ptr<const Stored>>;

// One line of a watch, and the version it brings.
struct ModelEvent {
    std::uint64_t version = 0;
    std::string line;
};

// A watch as the server sees it.
struct ModelStream {
    std::uint64_t sent = 0;  // every event up to this version is in its bytes
    bool initial = false;    // the end of the initial events has not been told
};

struct ModelAnswer {
    unsigned status = 200;
    std::string body;    // of a refusal or a LIST
    bool watch = false;  // `stream` goes on
    ModelStream stream;
    std::vector<ModelEvent> events;  // what a watch begins with
};

class ModelServer {
public:
    ModelServer(const ResourceType& type, bool watch_list, Rng& rng);

    void random_write();
    // History up to some version is forgotten.
    void compact();
    // A new process: no history at all.
    void restart() { compacted_ = version_; }
    // An older state comes back. Properly: with versions nobody has seen. Carelessly: with its own
    // old version, and no way for a watch to notice.
    void restore(bool properly);

    [[nodiscard]] ModelAnswer answer(const std::string& target);
    // The events after stream.sent, which moves on.
    [[nodiscard]] std::vector<ModelEvent> events(ModelStream& stream) const;
    [[nodiscard]] std::string bookmark(std::uint64_t version, bool ends_initial) const;
    [[nodiscard]] bool lost(const ModelStream& stream) const { return stream.sent < compacted_; }

    [[nodiscard]] std::uint64_t version() const { return version_; }
    [[nodiscard]] const State& state_at(std::uint64_t version) const;
    [[nodiscard]] const State& state() const { return state_at(version_); }

private:
    ModelAnswer list(const std::map<std::string, std::string>& query);
    ModelAnswer watch(const std::map<std::string, std::string>& query);
    void put(const ObjectKey& key);
    void erase(const ObjectKey& key);
    void commit(State next, const char* type, const std::string& text);

    ResourceType type_;
    bool watch_list_;
    Rng& rng_;
    std::uint64_t version_ = 90;  // soon with one more digit
    std::uint64_t compacted_ = 0;
    std::vector<ModelEvent> log_;
    std::map<std::uint64_t, State> states_;
};

[[nodiscard]] std::string event_line(const char* type, const std::string& object);
[[nodiscard]] std::string status_body(unsigned code, const char* reason, const char* message);
// "?a=1&b=2" of a target, decoded.
[[nodiscard]] std::map<std::string, std::string> query_of(const std::string& target);

}  // namespace steelyard::kube::faults
