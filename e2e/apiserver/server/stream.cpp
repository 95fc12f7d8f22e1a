#include "e2e/apiserver/server/api_server.hpp"
#include "e2e/apiserver/server/shaped_writer.hpp"
#include "e2e/apiserver/webhook/call_out.hpp"

#include <algorithm>

// One watch as a stream: what is due whenever the store has changed, bookmarks in between.
namespace steelyard::apiserver {

awaitable<void> ApiServer::stream(
    WatchRequest request, FaultRule fault, http_server::ChunkWriter& out
) {
    EventFaults events(fault);
    if (!fault.shapes_body()) {
        co_await write_events(std::move(request), events, out);
        co_return;
    }
    ShapedWriter shaped(std::move(fault), out);
    co_await write_events(std::move(request), events, shaped);
    if (!shaped.is_cut()) {
        co_await shaped.finish();
    }
}

awaitable<std::string> ApiServer::next_lines(Watch& watch) {
    Exchange exchange = api_->new_exchange();
    std::string lines = watch.next(api_->store(), api_->registry(), now(), exchange);
    while (exchange.pending()) {
        co_await answer_wanted(exchange);
        lines = watch.next(api_->store(), api_->registry(), now(), exchange);
    }
    co_return lines;
}

awaitable<void> ApiServer::write_events(
    WatchRequest request, EventFaults& faults, http_server::ChunkWriter& out
) {
    Watcher watcher{asio::steady_timer(executor_), false, false};
    struct Registration {
        std::list<Watcher*>& list;
        std::list<Watcher*>::iterator place;
        ~Registration() { list.erase(place); }
    };
    const Registration registered{watchers_, watchers_.insert(watchers_.end(), &watcher)};
    const Duration span = request.timeout.count() > 0 ? request.timeout : options_.watch_timeout;
    const Instant end = std::chrono::steady_clock::now() + span;
    Instant bookmark_due = std::chrono::steady_clock::now() + options_.bookmark_interval;
    Watch watch(std::move(request));
    while (!watcher.dropped) {
        std::string lines = co_await next_lines(watch);
        const Instant instant = std::chrono::steady_clock::now();
        if (lines.empty() && (instant >= bookmark_due || watcher.bookmark)) {
            watcher.bookmark = false;
            bookmark_due = instant + options_.bookmark_interval;
            lines = watch.bookmark(api_->store(), api_->registry());
        }
        const bool progress = !lines.empty();
        lines = faults.apply(lines);
        if (!lines.empty()) {
            auto written = co_await out.write(std::move(lines));
            if (!written) {
                break;
            }
        }
        if (watch.over() || faults.over() || instant >= end) {
            break;
        }
        if (progress) {
            continue;
        }
        watcher.timer.expires_at(std::min(end, bookmark_due));
        co_await watcher.timer.async_wait(kAwait);
    }
}

}  // namespace steelyard::apiserver
