#include "common/kube/watch/list_watch.hpp"

#include "common/base/check.hpp"
#include "common/kube/watch/managed_fields.hpp"
#include "common/kube/watch/object.hpp"
#include "common/kube/watch/query.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace steelyard::kube {
namespace {

using std::chrono::seconds;

// etcd holds at most 1.5 MiB an object; JSON and managed fields blow that up a few times.
constexpr std::size_t kObjectLimit = 16U << 20U;
constexpr std::size_t kRefusalLimit = 64U << 10U;
constexpr const char* kPageSize = "500";
constexpr unsigned kMaxPoliteRetries = 10;
constexpr unsigned kMaxServerFailures = 5;

// How long a server that has a full state or a refusal to send may pause.
constexpr Duration kSending = seconds(60);
// Servers send a bookmark about once a minute. One that sends none (they promise nothing) costs us
// only a new request; one that has died behind a living proxy is found.
constexpr Duration kSilence = seconds(150);
// After timeoutSeconds the server should have ended the watch.
constexpr Duration kOvertime = seconds(30);

// RFC 9110 8.3.1: the type without its parameters, in any case.
bool is_json(std::string_view content_type) {
    constexpr std::string_view kJson = "application/json";
    std::string type(content_type.substr(0, content_type.find(';')));
    type.erase(type.find_last_not_of(" \t") + 1);
    std::transform(type.begin(), type.end(), type.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    });
    return type == kJson;
}

}  // namespace

ListWatch::ListWatch(std::string path, std::map<std::string, std::string> selectors, Rng rng)
    : path_(std::move(path)),
      selectors_(std::move(selectors)),
      rng_(rng),
      lines_(kObjectLimit),
      items_(kObjectLimit) {}

WatchStep ListWatch::next(Instant now) {
    SY_CHECK(open_ == Open::None, "one request at a time");
    if (due_ && now < *due_) {
        return WaitUntil{*due_};
    }
    due_.reset();
    if (need_ == Need::Resume) {
        open_ = Open::Watch;
    } else {
        open_ = watch_list_refused_ || list_this_time_ ? Open::List : Open::WatchList;
    }
    head_ = ResponseHead{};
    body_.clear();
    lines_.reset();
    items_.reset();
    events_ = 0;
    initial_ = open_ == Open::WatchList;
    opened_ = now;
    progress_ = now;
    return OpenStream{target_of(open_)};
}

std::string ListWatch::target_of(Open request) {
    if (request == Open::List) {
        return list_target(selectors_);
    }
    std::map<std::string, std::string> query = selectors_;
    if (!version_.empty() && !version_useless_) {
        query["resourceVersion"] = version_;
    }
    // Spread over five minutes, so that watches opened together do not end together.
    constexpr std::uint64_t kSpread = 301;
    timeout_ = seconds(300 + rng_.below(kSpread));
    query["watch"] = "true";
    query["allowWatchBookmarks"] = "true";
    query["timeoutSeconds"] = std::to_string(std::chrono::duration_cast<seconds>(timeout_).count());
    if (request == Open::WatchList) {
        query["sendInitialEvents"] = "true";
        query["resourceVersionMatch"] = "NotOlderThan";
    }
    return path_ + "?" + encode_query(query);
}

// Without a version the state comes from etcd, in pages. With one it comes from the server's cache
// as soon as that is new enough, whole: pages would send every client of a cluster to etcd after an
// outage.
std::string ListWatch::list_target(std::map<std::string, std::string> query) const {
    if (!page_token_.empty()) {
        query["limit"] = kPageSize;
        query["continue"] = page_token_;
    } else if (!version_.empty() && !version_useless_) {
        query["resourceVersion"] = version_;
        query["resourceVersionMatch"] = "NotOlderThan";
    } else if (expired_tokens_ < 2) {
        query["limit"] = kPageSize;
    }
    return query.empty() ? path_ : path_ + "?" + encode_query(query);
}

Instant ListWatch::deadline() const {
    const bool idle = head_.status == 200 && !initial_ && open_ != Open::List;
    return idle ? std::min(progress_ + kSilence, opened_ + timeout_ + kOvertime)
                : progress_ + kSending;
}

void ListWatch::on_deadline(Instant now, WatchActions& out) {
    if (open_ == Open::None || now < deadline()) {
        return;
    }
    const bool idle = head_.status == 200 && !initial_ && open_ != Open::List;
    const bool silent = now >= progress_ + kSilence;
    const Open request = std::exchange(open_, Open::None);
    if (!idle) {
        on_broken(
            request, make_error(Errc::Timeout, "GET " + path_ + ": the server is silent"), now, out
        );
        return;
    }
    // Resume; and when that stays silent too, ask for everything: a server restored from a backup
    // has nothing to say after a version that it has not reached yet, but refuses a list of it.
    constexpr unsigned kSilencesBeforeFullState = 2;
    silences_ = silent ? silences_ + 1 : 0;
    if (silences_ >= kSilencesBeforeFullState) {
        need_ = Need::FullState;
    }
}

void ListWatch::on_response(ResponseHead head, Instant now, WatchActions& out) {
    if (open_ == Open::None) {
        return;
    }
    head_ = std::move(head);
    progress_ = now;
    if (head_.status != 200) {
        return;
    }
    if (!is_json(head_.content_type)) {
        on_garbage("Content-Type " + head_.content_type + " is not application/json", now, out);
    } else if (open_ == Open::WatchList || (open_ == Open::List && page_token_.empty())) {
        out.emplace_back(BeginReplace{});
    }
}

void ListWatch::on_bytes(std::string_view bytes, Instant now, WatchActions& out) {
    if (open_ == Open::None) {
        return;
    }
    if (head_.status != 200) {
        body_.append(bytes.substr(0, kRefusalLimit - std::min(kRefusalLimit, body_.size())));
        return;
    }
    if (open_ == Open::List) {
        on_list_bytes(bytes, now, out);
        return;
    }
    lines_.push(bytes);
    while (open_ != Open::None) {
        const auto line = lines_.next();
        if (!line) {
            break;
        }
        on_line(*line, now, out);
    }
    if (open_ != Open::None && lines_.overflow()) {
        on_garbage("event of more than 16 MiB", now, out);
    }
}

void ListWatch::on_closed(const std::optional<Error>& error, Instant now, WatchActions& out) {
    if (open_ == Open::None) {
        return;
    }
    const Open request = open_;
    if (head_.status != 0 && head_.status != 200) {
        open_ = Open::None;
        on_refused(request, parse_status(head_.status, head_.retry_after, body_), now, out);
    } else if (error) {
        open_ = Open::None;
        on_broken(request, *error, now, out);
    } else if (request == Open::List) {
        finish_list(now, out);
    } else {
        finish_watch(now, out);
    }
    body_.clear();
    body_.shrink_to_fit();
}

nlohmann::json ListWatch::parse_skimmed(std::string_view text) {
    return nlohmann::json::parse(without_managed_fields(text, scratch_), nullptr, false);
}

void ListWatch::on_list_bytes(std::string_view bytes, Instant now, WatchActions& out) {
    items_.push(bytes);
    while (const auto item = items_.next()) {
        nlohmann::json object = parse_skimmed(*item);
        if (object.is_discarded()) {
            on_garbage("a list with an item that is not JSON", now, out);
            return;
        }
        progress_ = now;
        out.emplace_back(Add{std::move(object)});
    }
    if (items_.failed()) {
        on_garbage("an answer that is not a list", now, out);
    }
}

void ListWatch::on_line(std::string_view line, Instant now, WatchActions& out) {
    nlohmann::json event = parse_skimmed(line);
    const bool complete = event.is_object() && event.contains("type") &&
                          event["type"].is_string() && event.contains("object");
    if (!complete) {
        on_garbage("a line that is not a watch event", now, out);
        return;
    }
    ++events_;
    on_event(event["type"].get<std::string>(), std::move(event["object"]), now, out);
}

void ListWatch::on_event(
    const std::string& type, nlohmann::json object, Instant now, WatchActions& out
) {
    if (type == "ERROR") {
        const Open request = std::exchange(open_, Open::None);
        on_refused(request, status_of(object), now, out);
        return;
    }
    if (type == "BOOKMARK") {
        on_bookmark(object, now, out);
        return;
    }
    progress_ = now;
    const bool erased = type == "DELETED";
    if (!erased && type != "ADDED" && type != "MODIFIED") {
        return;  // from a newer server
    }
    if (initial_) {
        // Their versions are older than the state they build up: do not advance to them.
        if (erased) {
            out.emplace_back(Remove{std::move(object)});
        } else {
            out.emplace_back(Add{std::move(object)});
        }
        return;
    }
    std::string version = version_of(object);
    if (older_version(version, version_)) {
        on_history_set_back(version, now, out);
        return;
    }
    good(out);
    silences_ = 0;
    if (!version.empty()) {
        version_ = std::move(version);
    }
    if (erased) {
        out.emplace_back(Erase{std::move(object)});
    } else {
        out.emplace_back(Put{std::move(object)});
    }
}

void ListWatch::on_bookmark(const nlohmann::json& object, Instant now, WatchActions& out) {
    std::string version = version_of(object);
    if (version.empty() || (!initial_ && older_version(version, version_))) {
        return;  // one that came late; no sign that the watch is up to date
    }
    progress_ = now;
    if (!initial_) {
        good(out);
        silences_ = 0;
        version_ = std::move(version);
    } else if (ends_initial_events(object)) {
        initial_ = false;
        full_state_complete(std::move(version), out);
    }
}

// A watch tells what came after version_. An older event means that the server's history was set
// back (restored from a backup), so what we hold may never have happened.
void ListWatch::on_history_set_back(const std::string& version, Instant now, WatchActions& out) {
    open_ = Open::None;
    need_ = Need::FullState;
    version_useless_ = true;
    fail(
        make_error(
            Errc::Expired,
            "GET " + path_ + ": the server's history was set back from " + version_ + " to " +
                version
        ),
        backed_off(now),
        out
    );
}

void ListWatch::full_state_complete(std::string version, WatchActions& out) {
    version_ = std::move(version);
    version_useless_ = false;
    list_this_time_ = false;
    need_ = Need::Resume;
    silences_ = 0;
    expired_tokens_ = 0;
    forget_pages();
    out.emplace_back(EndReplace{});
    good(out);
}

void ListWatch::forget_pages() {
    page_token_.clear();
    list_version_.clear();
}

void ListWatch::finish_list(Instant now, WatchActions& out) {
    const nlohmann::json list = nlohmann::json::parse(items_.envelope(), nullptr, false);
    std::string version = version_of(list);
    const bool whole =
        items_.complete() && list.is_object() && list.contains("items") &&
        // Go writes an empty list of some kinds as null.
        (list["items"].is_null() || (list["items"].is_array() && list["items"].empty()));
    const std::string next_page = metadata_text(list, "continue");
    if (version.empty() || !whole || (!next_page.empty() && next_page == page_token_)) {
        on_garbage("an answer that is not a list", now, out);
        return;
    }
    open_ = Open::None;
    if (page_token_.empty()) {
        list_version_ = std::move(version);
    }
    page_token_ = next_page;
    if (page_token_.empty()) {
        // Should the pages be of different ages, the watch tells what the older ones lack.
        full_state_complete(std::move(list_version_), out);
    }
}

// The rest of the list is gone: begin anew, and when that happens again, ask for it whole.
void ListWatch::on_token_expired(Error error, Instant now, WatchActions& out) {
    constexpr unsigned kAtOnce = 2;
    forget_pages();
    version_useless_ = true;
    if (++expired_tokens_ <= kAtOnce) {
        due_ = now;
    } else {
        fail(std::move(error), backed_off(now), out);
    }
}

void ListWatch::finish_watch(Instant now, WatchActions& out) {
    constexpr Duration kShort = seconds(1);
    const Open request = std::exchange(open_, Open::None);
    if (lines_.partial()) {
        on_broken(request, make_error(Errc::Unavailable, "watch ended inside an event"), now, out);
    } else if (initial_) {
        on_broken(
            request,
            make_error(Errc::Unavailable, "watch ended before the initial events were complete"),
            now,
            out
        );
    } else if (events_ == 0 && now - opened_ < kShort) {
        // A server that closes at once would otherwise be asked again at once, for ever.
        on_broken(
            request,
            make_error(Errc::Unavailable, "watch ended within a second and without an event"),
            now,
            out
        );
    } else {
        good(out);  // its timeoutSeconds are over: resume at once
    }
}

// The server could not be reached, or the answer broke off.
void ListWatch::on_broken(Open request, const Error& error, Instant now, WatchActions& out) {
    const bool answered = head_.status != 0;
    if (answered && request == Open::WatchList && initial_) {
        list_this_time_ = true;
    }
    fail(error, backed_off(now), out);
}

void ListWatch::on_refused(Open request, const ApiStatus& status, Instant now, WatchActions& out) {
    Error error = to_error(status, "GET " + path_);
    if (status.expired() && request == Open::List && !page_token_.empty()) {
        on_token_expired(std::move(error), now, out);
        return;
    }
    if (status.expired() || status.version_too_large) {
        on_stale_version(request, std::move(error), now, out);
        return;
    }
    if (status.code == 429) {
        fail(std::move(error), retry_after(status, now), out);
        return;
    }
    // A token that is being renewed is no reason for a relist either.
    const bool passing = status.code >= 500 || status.code == 401 || status.code == 408;
    if (request == Open::WatchList && initial_) {
        list_this_time_ = true;
        const bool unknown_to_server = status.code == 400 || status.code == 422;
        watch_list_refused_ = watch_list_refused_ || unknown_to_server;
        if (unknown_to_server) {
            due_ = now;  // no failure: this is how an older server says so
            return;
        }
    } else if (request == Open::List) {
        if (!passing) {
            forget_pages();  // of another server, perhaps
        }
    } else {
        server_failures_ = passing ? server_failures_ + 1 : kMaxServerFailures + 1;
        if (server_failures_ > kMaxServerFailures) {
            need_ = Need::FullState;
            server_failures_ = 0;
        }
    }
    fail(std::move(error), retry_after(status, now), out);
}

// 410, or a version the server has not reached yet (after a restore from backup, say).
void ListWatch::on_stale_version(Open request, Error error, Instant now, WatchActions& out) {
    const bool full_state_asked = request == Open::List || initial_;
    need_ = Need::FullState;
    if (full_state_asked && !version_useless_) {
        version_useless_ = true;
        due_ = now;  // ask for the newest state at once
        return;
    }
    // A watch first asks for a full state not older than what it had: another server of the same
    // cluster must not take us back in time.
    fail(std::move(error), backed_off(now), out);
}

void ListWatch::on_garbage(std::string what, Instant now, WatchActions& out) {
    const Open request = std::exchange(open_, Open::None);
    list_this_time_ = list_this_time_ || (request == Open::WatchList && initial_);
    need_ = Need::FullState;
    forget_pages();
    fail(
        make_error(Errc::Internal, "GET " + path_ + ": the server sent " + std::move(what)),
        backed_off(now),
        out
    );
}

Instant ListWatch::retry_after(const ApiStatus& status, Instant now) {
    if (status.retry_after == Duration{}) {
        return backed_off(now);
    }
    const Instant asked = now + status.retry_after;
    if (++polite_retries_ <= kMaxPoliteRetries) {
        return asked;
    }
    return std::max(asked, backed_off(now));
}

void ListWatch::fail(Error error, Instant due, WatchActions& out) {
    failing_ = true;
    due_ = due;
    out.emplace_back(Failed{std::move(error)});
}

void ListWatch::good(WatchActions& out) {
    polite_retries_ = 0;
    server_failures_ = 0;
    if (std::exchange(failing_, false)) {
        out.emplace_back(Recovered{});
    }
}

}  // namespace steelyard::kube
