#pragma once

#include "common/base/error.hpp"
#include "e2e/apiserver/json/json.hpp"

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

// Trouble on demand: rules that make the next matching requests fail, wait or lose their
// connection. Pure; the server asks once for every request.
namespace steelyard::apiserver {

struct FaultRule {
    std::string verb;                    // "get", "list", "watch"...; empty: any
    std::string resource;                // plural, "services"; empty: any
    unsigned count = 1;                  // requests it still applies to
    unsigned status = 0;                 // HTTP status to answer with; 0: the true answer
    unsigned retry_after = 0;            // seconds
    std::chrono::milliseconds delay{0};  // before anything else happens
    bool drop_connection = false;
};

class Faults {
public:
    void add(FaultRule rule) { rules_.push_back(std::move(rule)); }
    void clear() { rules_.clear(); }
    [[nodiscard]] std::size_t size() const { return rules_.size(); }
    // The first rule that matches, one use of it spent.
    std::optional<FaultRule> take(std::string_view verb, std::string_view resource);

private:
    std::deque<FaultRule> rules_;
};

// {"verb":"list","resource":"services","count":3,"status":429,"retryAfter":1,"delayMs":50,
// "dropConnection":false}; every field is optional, but a rule has to do something.
[[nodiscard]] Result<FaultRule> parse_fault(const Json& value);
// The Status object a faulty answer carries.
[[nodiscard]] Json fault_status(const FaultRule& rule);

}  // namespace steelyard::apiserver
