#include "common/kube/model/resource.hpp"
#include "common/kube/watch/list_watch.hpp"
#include "common/kube/watch/store.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <chrono>

// Random histories on a small API server, random faults between it and the core, and in the end the
// store must equal the server. The seed of a failing run is in its message.
namespace steelyard::kube {
namespace {

using namespace std::chrono_literals;

struct Write {
    std::uint64_t version = 0;
    std::string type;
    std::string name;
    std::string value;
};

class TinyServer {
public:
    explicit TinyServer(Rng& rng) : rng_(rng) {}

    void random_write() {
        const std::string name = "n" + std::to_string(rng_.below(8));
        ++version_;
        const auto found = objects_.find(name);
        if (found != objects_.end() && rng_.below(3) == 0) {
            log_.push_back(Write{version_, "DELETED", name, found->second.value});
            objects_.erase(found);
            return;
        }
        Write write{version_, found == objects_.end() ? "ADDED" : "MODIFIED", name, ""};
        write.value = std::to_string(rng_.below(4));
        objects_[name] = write;
        log_.push_back(write);
    }
    void compact() { compacted_ = version_ - rng_.below(std::min<std::uint64_t>(version_, 3) + 1); }
    // A restore from backup: the history and its numbers start again below what clients have seen.
    void restore_backup() {
        version_ = version_ / 2;
        log_.clear();
        compacted_ = version_;
        for (auto& [name, write] : objects_) {
            write.version = std::min(write.version, version_);
        }
    }

    [[nodiscard]] std::uint64_t version() const { return version_; }
    [[nodiscard]] std::uint64_t compacted() const { return compacted_; }
    [[nodiscard]] const std::vector<Write>& log() const { return log_; }
    [[nodiscard]] const std::map<std::string, Write>& objects() const { return objects_; }

private:
    Rng& rng_;
    std::uint64_t version_ = 5;
    std::uint64_t compacted_ = 0;
    std::vector<Write> log_;
    std::map<std::string, Write> objects_;
};

nlohmann::json object_of(const Write& write) {
    nlohmann::json object;
    object["metadata"]["name"] = write.name;
    object["metadata"]["resourceVersion"] = std::to_string(write.version);
    object["metadata"]["labels"]["v"] = write.value;
    return object;
}

std::string event_line(const std::string& type, const nlohmann::json& object) {
    nlohmann::json event;
    event["type"] = type;
    event["object"] = object;
    return event.dump() + "\n";
}

std::string status_body(unsigned code, const char* reason, bool too_large) {
    nlohmann::json status;
    status["kind"] = "Status";
    status["code"] = code;
    status["reason"] = reason;
    if (too_large) {
        status["message"] = "Too large resource version: 9, current: 5";
    }
    return status.dump();
}

class World {
public:
    World(std::uint64_t seed, bool watch_list)
        : rng_(seed),
          server_(rng_),
          core_("/api/v1/namespaces", {}, Rng(seed + 1)),
          has_watch_list_(watch_list) {}

    void run(std::size_t steps) {
        for (std::size_t i = 0; i < steps; ++i) {
            history();
            step();
        }
        faults_ = false;
        for (std::size_t i = 0; i < 200 && !equal(); ++i) {
            step();
        }
    }

    [[nodiscard]] bool equal() const {
        const auto& have = store_.objects();
        return have.size() == server_.objects().size() &&
               std::all_of(have.begin(), have.end(), [&](const auto& entry) {
                   const auto found = server_.objects().find(entry.first.name);
                   return found != server_.objects().end() &&
                          entry.second->meta.labels.at("v") == found->second.value;
               });
    }
    // Changes replayed on an empty map give the store: nothing was reported twice or not at all.
    [[nodiscard]] bool changes_consistent() const {
        return consistent_ && mirror_ == store_.objects();
    }

private:
    void history() {
        if (rng_.below(2) == 0) {
            server_.random_write();
        }
        if (rng_.below(40) == 0) {
            server_.compact();
        }
        if (rng_.below(150) == 0) {
            server_.restore_backup();
        }
    }

    void step() {
        if (open_) {
            serve();
            apply();
            return;
        }
        const WatchStep next = core_.next(now_);
        if (const auto* wait = std::get_if<WaitUntil>(&next)) {
            now_ = std::max(now_, wait->due);
            return;
        }
        answer(std::get<OpenStream>(next).target);
        apply();
    }

    static std::string parameter(const std::string& target, const std::string& name) {
        const std::size_t at = target.find(name + "=");
        if (at == std::string::npos || (target[at - 1] != '?' && target[at - 1] != '&')) {
            return {};
        }
        const std::size_t start = at + name.size() + 1;
        return target.substr(start, target.find('&', start) - start);
    }

    void refuse(unsigned code, const char* reason, bool too_large = false) {
        ResponseHead head;
        head.status = code;
        head.content_type = "application/json";
        head.retry_after = rng_.below(2) == 0 ? "1" : "";
        core_.on_response(std::move(head), now_, actions_);
        core_.on_bytes(status_body(code, reason, too_large), now_, actions_);
        core_.on_closed(std::nullopt, now_, actions_);
    }

    void answer(const std::string& target) {
        if (faults_ && rng_.below(6) == 0) {
            core_.on_closed(make_error(Errc::Unavailable, "refused"), now_, actions_);
            return;
        }
        if (faults_ && rng_.below(8) == 0) {
            const unsigned codes[] = {429, 500, 503, 403};
            refuse(codes[rng_.below(4)], "");
            return;
        }
        const std::string asked = parameter(target, "resourceVersion");
        std::uint64_t from = 0;
        std::from_chars(asked.data(), asked.data() + asked.size(), from);
        const bool watch = parameter(target, "watch") == "true";
        const bool initial = !parameter(target, "sendInitialEvents").empty();
        if (initial && !has_watch_list_) {
            refuse(422, "Invalid");
        } else if (from > server_.version()) {
            refuse(504, "Timeout", true);
        } else if (watch && !initial && from < server_.compacted()) {
            refuse(410, "Expired");
        } else {
            serve_from(watch, initial, from);
        }
    }

    void serve_from(bool watch, bool initial, std::uint64_t from) {
        ResponseHead head;
        head.status = 200;
        head.content_type = "application/json";
        core_.on_response(std::move(head), now_, actions_);
        sent_ = initial || !watch ? server_.version() : from;
        outbox_.clear();
        open_ = true;
        list_ = !watch;
        if (list_) {
            nlohmann::json list;
            list["metadata"]["resourceVersion"] = std::to_string(sent_);
            list["items"] = nlohmann::json::array();
            for (const auto& [name, write] : server_.objects()) {
                list["items"].push_back(object_of(write));
            }
            outbox_ = list.dump();
        } else if (initial) {
            for (const auto& [name, write] : server_.objects()) {
                outbox_ += event_line("ADDED", object_of(write));
            }
            Write bookmark{sent_, "BOOKMARK", "", ""};
            nlohmann::json object = object_of(bookmark);
            object["metadata"]["annotations"]["k8s.io/initial-events-end"] = "true";
            outbox_ += event_line("BOOKMARK", object);
        }
    }

    void hang_up(bool clean) {
        open_ = false;
        const std::optional<Error> error =
            clean ? std::nullopt : std::optional(make_error(Errc::Unavailable, "reset"));
        core_.on_closed(error, now_, actions_);
    }

    // Sends some bytes, cut anywhere; sometimes ends the connection.
    void serve() {
        now_ += std::chrono::milliseconds(rng_.below(900));
        if (!list_) {
            fill_watch();
        }
        const std::size_t size = faults_ ? rng_.below(outbox_.size() + 1) : outbox_.size();
        core_.on_bytes(std::string_view(outbox_).substr(0, size), now_, actions_);
        outbox_.erase(0, size);
        if (core_.closed()) {
            open_ = false;
        } else if (list_ && outbox_.empty()) {
            hang_up(true);
        } else if (faults_ && rng_.below(10) == 0) {
            hang_up(rng_.below(2) == 0 && outbox_.empty());
        }
    }

    void fill_watch() {
        if (sent_ < server_.compacted() || sent_ > server_.version()) {
            nlohmann::json status =
                nlohmann::json::parse(status_body(410, "Expired", false), nullptr, false);
            outbox_ += event_line("ERROR", status);
            sent_ = server_.version();
            return;
        }
        for (const Write& write : server_.log()) {
            if (write.version > sent_) {
                outbox_ += event_line(write.type, object_of(write));
                sent_ = write.version;
            }
        }
        if (rng_.below(5) == 0) {
            outbox_ += event_line("BOOKMARK", object_of(Write{sent_, "", "", ""}));
        }
    }

    void apply() {
        for (WatchAction& action : actions_) {
            if (std::holds_alternative<BeginReplace>(action)) {
                incoming_.clear();
            } else if (auto* add = std::get_if<Add>(&action)) {
                auto object = decode_namespace(add->object).value();
                const ObjectKey key = object.meta.key;
                incoming_[key] = std::make_shared<const Namespace>(std::move(object));
            } else if (auto* remove = std::get_if<Remove>(&action)) {
                incoming_.erase(decode_namespace(remove->object).value().meta.key);
            } else if (std::holds_alternative<EndReplace>(action)) {
                reflect(store_.replace(std::exchange(incoming_, {})));
            } else if (auto* put = std::get_if<Put>(&action)) {
                reflect(store_.put(decode_namespace(put->object).value()));
            } else if (auto* erase = std::get_if<Erase>(&action)) {
                reflect(store_.erase(decode_namespace(erase->object).value().meta.key));
            }
        }
        actions_.clear();
        // Updates that only raise the version are not reported: follow them silently.
        for (auto& [key, object] : mirror_) {
            if (const auto now = store_.find(key)) {
                consistent_ = consistent_ && now->meta.labels == object->meta.labels;
                object = now;
            }
        }
    }

    void reflect(const std::vector<Change<Namespace>>& changes) {
        for (const auto& change : changes) {
            const auto found = mirror_.find(change.key);
            const bool known = found != mirror_.end();
            consistent_ = consistent_ && known == (change.before != nullptr);
            if (change.after) {
                mirror_[change.key] = change.after;
            } else {
                mirror_.erase(change.key);
            }
        }
    }

    Rng rng_;
    TinyServer server_;
    ListWatch core_;
    bool has_watch_list_;
    bool faults_ = true;
    Instant now_{1h};
    WatchActions actions_;
    Store<Namespace> store_;
    Store<Namespace>::Objects incoming_;
    Store<Namespace>::Objects mirror_;
    bool consistent_ = true;
    bool open_ = false;
    bool list_ = false;
    std::uint64_t sent_ = 0;
    std::string outbox_;
};

TEST(ListWatchPropertyTest, TheStoreEqualsTheServerAfterAnyHistoryAndFaults) {
    constexpr std::uint64_t kRuns = 300;
    constexpr std::size_t kSteps = 150;
    for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
        World world(seed, seed % 2 == 0);
        world.run(kSteps);
        ASSERT_TRUE(world.equal()) << "seed " << seed;
        ASSERT_TRUE(world.changes_consistent()) << "seed " << seed;
    }
}

}  // namespace
}  // namespace steelyard::kube
