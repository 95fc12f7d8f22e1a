#pragma once

#include "common/base/error.hpp"
#include "common/base/rng.hpp"
#include "common/base/time.hpp"
#include "common/kube/watch/backoff.hpp"
#include "common/kube/watch/line_splitter.hpp"
#include "common/kube/watch/list_splitter.hpp"
#include "common/kube/watch/status.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// How to stay equal to one collection of the API server: client-go's reflector as a core without
// I/O. The driver asks next() what to do, performs that one request, reports its answer with
// on_response/on_bytes/on_closed and applies the actions in order.
//
// A full state comes from a WatchList (a watch with sendInitialEvents) and, where the server
// refuses that, from a LIST; then a watch resumes from the newest resourceVersion for as long as
// the server keeps it. The first full state is a consistent read, never one of the server's cache
// ("resourceVersion=0"): what was written before we asked is in it, so that a new leader may act on
// it. resourceVersions are opaque text, but for the one question whether time went backwards.
namespace steelyard::kube {

// Actions, for the store's owner.
struct BeginReplace {};  // forget what was added since the last one: a full state follows
struct Add {             // belongs to the full state
    nlohmann::json object;
};
struct Remove {  // left the full state while it was being sent
    nlohmann::json object;
};
struct EndReplace {};  // the full state is complete: make the store equal to it
struct Put {           // ADDED or MODIFIED
    nlohmann::json object;
};
struct Erase {  // DELETED
    nlohmann::json object;
};
struct Failed {  // to be reported; the core retries by itself
    Error error;
};
struct Recovered {};  // the first good news after Failed
using WatchAction =
    std::variant<BeginReplace, Add, Remove, EndReplace, Put, Erase, Failed, Recovered>;
using WatchActions = std::vector<WatchAction>;

// What to do next.
struct WaitUntil {
    Instant due;
};
struct OpenStream {
    std::string target;  // path and query of a GET
};
using WatchStep = std::variant<WaitUntil, OpenStream>;

struct ResponseHead {
    unsigned status = 0;
    std::string retry_after;  // as sent
    std::string content_type;
};

class ListWatch {
public:
    // `selectors`: labelSelector and fieldSelector, if any.
    ListWatch(std::string path, std::map<std::string, std::string> selectors, Rng rng);

    // Only while no request is open. After OpenStream the request is open until closed() is true.
    [[nodiscard]] WatchStep next(Instant now);
    [[nodiscard]] bool closed() const { return open_ == Open::None; }
    // Until when the open request has to bring something: a whole event or item, not only bytes.
    // While its answer has not begun, the driver's own limits hold.
    [[nodiscard]] Instant deadline() const;

    void on_response(ResponseHead head, Instant now, WatchActions& out);
    void on_bytes(std::string_view bytes, Instant now, WatchActions& out);
    // The request ended: cleanly, or with what broke it, before or after its answer began. Ignored
    // when the core has closed it itself.
    void on_closed(const std::optional<Error>& error, Instant now, WatchActions& out);
    // The deadline has passed: the core closes the request. Early calls do nothing.
    void on_deadline(Instant now, WatchActions& out);

    [[nodiscard]] const std::string& resource_version() const { return version_; }

private:
    enum class Need { FullState, Resume };
    enum class Open { None, WatchList, List, Watch };

    [[nodiscard]] std::string target_of(Open request);
    [[nodiscard]] std::string list_target(std::map<std::string, std::string> query) const;
    [[nodiscard]] nlohmann::json parse_skimmed(std::string_view text);
    void on_list_bytes(std::string_view bytes, Instant now, WatchActions& out);
    void on_line(std::string_view line, Instant now, WatchActions& out);
    void on_event(const std::string& type, nlohmann::json object, Instant now, WatchActions& out);
    void on_bookmark(const nlohmann::json& object, Instant now, WatchActions& out);
    void on_history_set_back(const std::string& version, Instant now, WatchActions& out);
    void finish_list(Instant now, WatchActions& out);
    void on_token_expired(Error error, Instant now, WatchActions& out);
    void forget_pages();
    void finish_watch(Instant now, WatchActions& out);
    void on_broken(Open request, const Error& error, Instant now, WatchActions& out);
    void on_refused(Open request, const ApiStatus& status, Instant now, WatchActions& out);
    void on_stale_version(Open request, Error error, Instant now, WatchActions& out);
    void on_garbage(std::string what, Instant now, WatchActions& out);
    void full_state_complete(std::string version, WatchActions& out);
    void fail(Error error, Instant due, WatchActions& out);
    void good(WatchActions& out);
    Instant backed_off(Instant now) { return now + backoff_.next(now, rng_); }
    Instant retry_after(const ApiStatus& status, Instant now);

    std::string path_;
    std::map<std::string, std::string> selectors_;
    Rng rng_;
    Backoff backoff_;

    Need need_ = Need::FullState;
    Open open_ = Open::None;
    std::string version_;           // newest resourceVersion seen; "" before the first full state
    bool version_useless_ = false;  // the server has forgotten it, or not seen it yet
    bool watch_list_refused_ = false;  // for good: the server does not know it
    bool list_this_time_ = false;      // the WatchList broke: take a LIST for this full state
    std::optional<Instant> due_;       // do nothing before
    bool failing_ = false;
    unsigned polite_retries_ = 0;   // consecutive waits by Retry-After alone
    unsigned server_failures_ = 0;  // consecutive passing refusals of the watch
    unsigned silences_ = 0;         // consecutive watches given up without a sign of life

    // Of a LIST in pages.
    std::string page_token_;       // "continue" of the next page; "" for the first
    std::string list_version_;     // of the first page: the watch starts there
    unsigned expired_tokens_ = 0;  // in this attempt at a full state

    // Of the open request.
    ResponseHead head_;
    Instant opened_{};
    Duration timeout_{};
    Instant progress_{};  // when it last brought something
    std::size_t events_ = 0;
    bool initial_ = false;  // a WatchList whose full state is not complete
    std::string body_;      // of a refusal
    LineSplitter lines_;
    ListSplitter items_;
    std::string scratch_;
};

}  // namespace steelyard::kube
