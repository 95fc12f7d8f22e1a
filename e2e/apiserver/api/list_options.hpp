#pragma once

#include "e2e/apiserver/api/route.hpp"
#include "e2e/apiserver/json/failure.hpp"

#include <cstdint>
#include <optional>
#include <string>

// What a list or a watch asks of resourceVersions, checked as Kubernetes checks its ListOptions,
// and the continue tokens of paged lists. Pure text, no state.
namespace steelyard::apiserver {

// How new the answer has to be.
enum class Freshness {
    Newest,        // resourceVersion "": what is there now
    Any,           // "0": whatever the server has at hand
    NotOlderThan,  // that version or a later one
    Exact,         // the state at that version
};

struct ListOptions {
    Freshness freshness = Freshness::Newest;
    std::uint64_t version = 0;   // of NotOlderThan and Exact
    std::size_t limit = 0;       // 0: no paging
    std::string continue_token;  // "": from the beginning
};

[[nodiscard]] Outcome<ListOptions> parse_list_options(const Query& query);

struct WatchOptions {
    Freshness freshness = Freshness::Newest;  // Exact: changes after that version and no state
    std::uint64_t version = 0;
    std::optional<bool> send_initial_events;
};

// watch_list: the server offers sendInitialEvents.
[[nodiscard]] Outcome<WatchOptions> parse_watch_options(const Query& query, bool watch_list);

// The version of the first page and the last key shown. Version 0 goes on with the newest state,
// which is what a client may do whose token has expired.
struct ListPlace {
    std::uint64_t version = 0;
    std::string key;
};
[[nodiscard]] std::string format_continue(const ListPlace& place);
[[nodiscard]] std::optional<ListPlace> parse_continue(const std::string& token);

// 504 with the cause that tells clients to start again from the newest state.
[[nodiscard]] Failure version_too_large(std::uint64_t wanted, std::uint64_t current);

}  // namespace steelyard::apiserver
