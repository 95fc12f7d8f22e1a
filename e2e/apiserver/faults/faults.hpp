#pragma once

#include "common/base/error.hpp"
#include "e2e/apiserver/json/json.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

// Trouble on demand: rules that make the next matching requests fail, wait, lose their connection
// or get an answer that is cut, stalled, slow or wrong. Pure; the server asks once for every
// request and acts by the answer (see shaper.hpp).
namespace steelyard::apiserver {

// What is known of a request before it is served.
struct RequestKey {
    std::string verb;         // "get", "list", "watch"...
    std::string resource;     // plural: "services"
    std::string subresource;  // "status", or ""
    std::string path;
};

struct FaultRule {
    // Which requests; an empty field means any.
    std::string verb;
    std::string resource;  // "services" (with all its subresources) or "services/status"
    std::string path;      // "*" stands for any run of characters: "/apis/metallb.io/*"
    unsigned count = 1;    // requests it still applies to
    unsigned skip = 0;     // matching requests it lets pass before

    // Another answer.
    unsigned status = 0;       // HTTP status to answer with; 0: the true answer
    unsigned retry_after = 0;  // seconds
    std::string cause;         // details.causes[0].reason of the Status: "ResourceVersionTooLarge"
    std::optional<std::string> body;     // instead of the Status, or of the true body
    std::string content_type;            // instead of the true one
    std::chrono::milliseconds delay{0};  // before anything else happens
    bool drop_connection = false;        // without an answer

    // The body of the answer, or the stream, by offsets into its bytes.
    std::optional<std::size_t> cut_at;  // end the connection there, without a last chunk
    bool mid_chunk = false;             // cut inside a chunk that promised more
    bool reset = false;                 // cut by RST instead of FIN
    std::optional<std::size_t> stall_at;
    std::chrono::milliseconds stall{0};
    unsigned bytes_per_second = 0;  // 0: as fast as it goes
    std::optional<std::size_t> garbage_at;
    std::string garbage;
    bool raw_garbage = false;  // outside the chunk framing, which it breaks

    // The events of a watch.
    std::optional<unsigned> error_after;  // so many events, then ERROR with `status` (0: 410)
    bool duplicate_bookmarks = false;
    bool late_bookmarks = false;  // each comes after the event that follows it

    [[nodiscard]] bool matches(const RequestKey& request) const;
    [[nodiscard]] bool shapes_body() const;
    [[nodiscard]] bool does_something() const;
};

// A proxy's error page: text/html instead of a Status.
[[nodiscard]] FaultRule html_page(unsigned status);

class Faults {
public:
    void add(FaultRule rule) { rules_.push_back(std::move(rule)); }
    void clear() { rules_.clear(); }
    [[nodiscard]] std::size_t size() const { return rules_.size(); }
    // The first rule that matches, one use of it spent.
    std::optional<FaultRule> take(const RequestKey& request);

private:
    std::deque<FaultRule> rules_;
};

// {"verb":"list","resource":"services","path":"/api/*","count":3,"skip":1,"status":429,
// "retryAfter":1,"cause":"...","body":"...","contentType":"...","html":true,"delayMs":50,
// "dropConnection":true,"cutAt":100,"midChunk":true,"reset":true,"stallAt":0,"stallMs":500,
// "bytesPerSecond":20,"garbageAt":10,"garbage":"...","rawGarbage":true,"errorAfter":3,
// "duplicateBookmarks":true,"lateBookmarks":true}; every field is optional, but a rule has to do
// something.
[[nodiscard]] Result<FaultRule> parse_fault(const Json& value);
// The Status object a faulty answer carries.
[[nodiscard]] Json fault_status(const FaultRule& rule);

}  // namespace steelyard::apiserver
