#pragma once

#include "common/base/time.hpp"
#include "e2e/apiserver/callout/exchange.hpp"
#include "e2e/apiserver/registry/kind.hpp"
#include "e2e/apiserver/registry/table.hpp"
#include "e2e/apiserver/storage/selector.hpp"
#include "e2e/apiserver/storage/store.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

// One client's watch: a place in the store's history and what to show of it. Pure: the shell asks
// for the lines that are due whenever the store has changed.
namespace steelyard::apiserver {

struct WatchRequest {
    std::string resource;  // registry key
    std::string version;
    std::string ns;
    Selector selector;
    std::uint64_t after = 0;        // changes after this resourceVersion
    bool initial_state = false;     // begin with synthetic ADDED events: the state at `after`
    bool initial_end_mark = false;  // and a bookmark that ends them (WatchList)
    bool bookmarks = false;
    std::chrono::seconds timeout{0};  // 0: the server's choice
    std::optional<TableFormat> table;
    Json refusal;  // the Status to begin and end with; null to serve
};

class Watch {
public:
    explicit Watch(WatchRequest request) : request_(std::move(request)) {}

    // Every line that is due now; begins with the initial state when asked for. While the exchange
    // is pending there is nothing, and the call is to be repeated with the answers.
    [[nodiscard]] std::string next(
        const Store& store, const Registry& registry, WallTime now, Exchange& exchange
    );
    // Empty when the client did not ask for bookmarks.
    [[nodiscard]] std::string bookmark(const Store& store, const Registry& registry);
    // After an ERROR event the stream is over.
    [[nodiscard]] bool over() const { return over_; }
    [[nodiscard]] const WatchRequest& request() const { return request_; }

private:
    struct Event {
        const char* type;
        Object object;
    };
    // One line each; an ERROR in place of what cannot be converted, which ends the watch.
    std::string lines(
        const std::vector<Event>& events,
        const Kind& kind,
        const Store& store,
        WallTime now,
        Exchange& exchange
    );
    std::string line(const char* type, const Kind& kind, const Json& shown, WallTime now) const;
    std::string mark(const Kind& kind, std::uint64_t version, bool initial_end) const;
    std::vector<Event> initial_state(const Store& store) const;
    std::vector<Event> changes(const Store& store);

    WatchRequest request_;
    bool started_ = false;
    bool over_ = false;
};

}  // namespace steelyard::apiserver
