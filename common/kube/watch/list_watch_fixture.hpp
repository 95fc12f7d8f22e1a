#pragma once

#include "common/kube/watch/list_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <variant>
#include <vector>

// For the tests of ListWatch: a core, a clock that is moved by hand, and the answers of a server.
namespace steelyard::kube::list_watch_test {

using namespace std::chrono_literals;

inline constexpr const char* kPath = "/api/v1/services";

inline std::string name_of(const nlohmann::json& object) {
    return object["metadata"]["name"].get<std::string>();
}

// What the core did, as short words.
struct Words {
    std::string operator()(const BeginReplace&) const { return "begin"; }
    std::string operator()(const Add& a) const { return "add " + name_of(a.object); }
    std::string operator()(const Remove& a) const { return "remove " + name_of(a.object); }
    std::string operator()(const EndReplace&) const { return "end"; }
    std::string operator()(const Put& a) const { return "put " + name_of(a.object); }
    std::string operator()(const Erase& a) const { return "erase " + name_of(a.object); }
    std::string operator()(const Failed& a) const { return "failed: " + a.error.code.message(); }
    std::string operator()(const Recovered&) const { return "recovered"; }
};

inline std::string event(const char* type, const char* name, const char* version) {
    nlohmann::json object;
    object["type"] = type;
    object["object"]["metadata"]["name"] = name;
    object["object"]["metadata"]["resourceVersion"] = version;
    return object.dump() + "\n";
}

inline std::string initial_end(const char* version) {
    nlohmann::json object;
    object["type"] = "BOOKMARK";
    object["object"]["metadata"]["resourceVersion"] = version;
    object["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] = "true";
    return object.dump() + "\n";
}

inline std::string error_event(int code, const char* reason) {
    nlohmann::json object;
    object["type"] = "ERROR";
    object["object"]["kind"] = "Status";
    object["object"]["code"] = code;
    object["object"]["reason"] = reason;
    return object.dump() + "\n";
}

inline std::string too_large() {
    nlohmann::json cause;
    cause["reason"] = "ResourceVersionTooLarge";
    nlohmann::json body;
    body["kind"] = "Status";
    body["code"] = 504;
    body["reason"] = "Timeout";
    body["details"]["retryAfterSeconds"] = 1;
    body["details"]["causes"].push_back(cause);
    return body.dump();
}

class ListWatchFixture : public testing::Test {
protected:
    // The target of the next request; fails the test when the core wants to wait instead.
    std::string opened() {
        const WatchStep step = core_.next(now_);
        const auto* open = std::get_if<OpenStream>(&step);
        EXPECT_NE(open, nullptr);
        return open == nullptr ? "" : open->target;
    }
    // How long the core waits; goes there.
    Duration waited() {
        const WatchStep step = core_.next(now_);
        const auto* wait = std::get_if<WaitUntil>(&step);
        EXPECT_NE(wait, nullptr);
        if (wait == nullptr) {
            return Duration{};
        }
        const Duration duration = wait->due - now_;
        now_ = wait->due;
        return duration;
    }
    void respond(
        unsigned status, const char* retry_after = "", const char* type = "application/json"
    ) {
        ResponseHead head;
        head.status = status;
        head.retry_after = retry_after;
        head.content_type = type;
        core_.on_response(std::move(head), now_, actions_);
    }
    void bytes(const std::string& text) { core_.on_bytes(text, now_, actions_); }
    void closed() { core_.on_closed(std::nullopt, now_, actions_); }
    void broken() { core_.on_closed(make_error(Errc::Unavailable, "reset"), now_, actions_); }
    std::vector<std::string> words() {
        std::vector<std::string> result;
        for (const WatchAction& action : actions_) {
            result.push_back(std::visit(Words{}, action));
        }
        actions_.clear();
        return result;
    }
    // Brings the core to a running watch at version 10 with nothing reported.
    void synced() {
        opened();
        respond(200);
        bytes(initial_end("10"));
        words();
    }
    void refuse(unsigned status, const std::string& body, const char* retry_after = "") {
        respond(status, retry_after);
        bytes(body);
        closed();
    }

    Instant now_{1h};
    WatchActions actions_;
    ListWatch core_{kPath, {{"labelSelector", "a=b"}}, Rng(7)};
};

}  // namespace steelyard::kube::list_watch_test
