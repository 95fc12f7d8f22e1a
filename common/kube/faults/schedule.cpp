#include "common/kube/faults/schedule.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <utility>

namespace steelyard::kube::faults {
namespace {

using namespace std::chrono_literals;

// No JSON text holds a control character, so this can never pass for something that was sent.
constexpr std::string_view kGarbage = "\x01<html>}\"]\n";

std::uint64_t number(std::string_view text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

}  // namespace

Schedule::Schedule(const ResourceType& type, ObjectSink& sink, ScheduleOptions options)
    : options_(options),
      rng_(options.seed),
      server_(type, options.watch_list.value_or(rng_.below(3) != 0), rng_),
      core_("/objects", {}, Rng(options.seed + 1)),
      carrier_(
          sink,
          [this](const Error* error) { say(error != nullptr ? to_string(*error) : "works again"); }
      ),
      bookmarks_(rng_.below(4) != 0),
      noise_(rng_.below(2) == 0) {
    constexpr std::uint64_t kFirst = 10;
    for (std::uint64_t left = rng_.below(kFirst); left > 0; --left) {
        server_.random_write();
    }
}

std::uint64_t Schedule::version() const {
    return number(core_.resource_version());
}

bool Schedule::run(const std::function<bool()>& check, const std::function<bool()>& caught_up) {
    for (std::size_t i = 0; i < options_.steps; ++i) {
        trouble();
        step();
        if (std::exchange(told_, false) && !check()) {
            return false;
        }
    }
    if (!options_.only && rng_.below(8) == 0) {
        say("the server is restored from a backup, and nobody tells");
        server_.restore(false);
        if (connection_) {
            close(false);
        }
    }
    troubled_ = false;
    say("peace");
    constexpr std::size_t kMost = 400;
    for (std::size_t i = 0; i < kMost; ++i) {
        if (caught_up()) {
            return true;
        }
        step();
        if (std::exchange(told_, false) && !check()) {
            return false;
        }
    }
    return false;
}

void Schedule::trouble() {
    if (rng_.below(2) == 0) {
        server_.random_write();
        say("write " + std::to_string(server_.version()));
    }
    if (options_.only) {
        return;
    }
    if (rng_.below(15) == 0) {
        server_.compact();
        say("compaction");
    }
    const bool restart = rng_.below(30) == 0;
    const bool restore = rng_.below(60) == 0;
    if (restart || restore) {
        say(restore ? "restored from a backup" : "restart");
        if (restore) {
            server_.restore(true);
        } else {
            server_.restart();
        }
        if (connection_) {
            close(false);
        }
    }
}

void Schedule::step() {
    if (connection_) {
        serve();
        return;
    }
    const WatchStep next = core_.next(now_);
    if (const auto* wait = std::get_if<WaitUntil>(&next)) {
        now_ = std::max(now_, wait->due);
        return;
    }
    open(std::get<OpenStream>(next).target);
}

Fault Schedule::draw_fault() {
    if (!troubled_) {
        return Fault::None;
    }
    if (options_.only) {
        return *options_.only;
    }
    constexpr std::array kFaults = {
        Fault::None,
        Fault::None,
        Fault::None,
        Fault::Refused,
        Fault::Status,
        Fault::Status,
        Fault::Page,
        Fault::Empty,
        Fault::End,
        Fault::End,
        Fault::Reset,
        Fault::Reset,
        Fault::Reset,
        Fault::Stall,
        Fault::Drip,
        Fault::Garbage,
        Fault::Expire,
        Fault::WrongType,
    };
    return kFaults[rng_.below(kFaults.size())];
}

void Schedule::open(const std::string& target) {
    const auto query = query_of(target);
    const bool full = !query.contains("watch") || query.contains("sendInitialEvents");
    if (full && !query.contains("continue")) {
        asked_at_ = server_.version();
    }
    connection_.emplace();
    connection_->fault = draw_fault();
    say("GET " + target + ", fault " + std::to_string(static_cast<int>(connection_->fault)));
    if (connection_->fault == Fault::Refused) {
        close(false);
    } else if (connection_->fault == Fault::Status) {
        refuse();
    } else {
        answer(target, server_.answer(target));
    }
}

void Schedule::refuse() {
    constexpr std::array kCodes = {
        429U, 429U, 429U, 500U, 502U, 503U, 504U, 401U, 403U, 404U, 408U, 422U, 410U};
    constexpr std::array kWaits = {
        "", "", "0", "1", "7", "60", "-1", "soon", "999999999999999999999"};
    ResponseHead head;
    head.status = kCodes[rng_.below(kCodes.size())];
    head.retry_after = kWaits[rng_.below(kWaits.size())];
    head.content_type = rng_.below(2) == 0 ? "application/json" : "text/html";
    const std::string body =
        rng_.below(2) == 0 ? "<html><h1>busy\n</h1>" : status_body(head.status, "", "no");
    core_.on_response(std::move(head), now_, actions_);
    core_.on_bytes(body, now_, actions_);
    close(rng_.below(4) != 0);
}

void Schedule::answer(const std::string& target, const ModelAnswer& answer) {
    Connection& open = *connection_;
    ResponseHead head;
    head.status = answer.status;
    head.content_type = open.fault == Fault::Page        ? "text/html; charset=utf-8"
                        : open.fault == Fault::WrongType ? "application/vnd.kubernetes.protobuf"
                        : rng_.below(2) == 0             ? "application/json"
                                                         : "Application/JSON;charset=utf-8";
    if (open.fault == Fault::Page && head.status != 200) {
        open.fault = Fault::None;
    }
    core_.on_response(std::move(head), now_, actions_);
    if (open.fault == Fault::Page) {
        core_.on_bytes("<html>\n", now_, actions_);
    }
    apply();
    if (core_.closed()) {
        connection_.reset();
        return;
    }
    if (open.fault == Fault::Empty) {
        close(true);
        return;
    }
    open.list = !answer.watch;
    open.stream = answer.stream;
    open.outbox = answer.body;
    const auto query = query_of(target);
    const auto timeout = query.find("timeoutSeconds");
    open.ends = now_ + std::chrono::seconds(timeout == query.end() ? 60 : number(timeout->second));
    for (const ModelEvent& event : answer.events) {
        append(event);
    }
    produce();
    constexpr std::size_t kMoreThanAWatchBeginsWith = 1500;
    const std::size_t length = std::max(
        open.outbox.size(), answer.watch && !answer.stream.initial ? kMoreThanAWatchBeginsWith : 0
    );
    open.at = options_.only ? options_.only_at : rng_.below(length + 1);
    if (open.fault == Fault::Expire) {
        constexpr std::uint64_t kLines = 12;
        open.at = open.lines + rng_.below(kLines);
    }
}

// One line of a watch; a server may send more than it has to.
void Schedule::append(const ModelEvent& event) {
    Connection& open = *connection_;
    if (open.broken) {
        return;
    }
    if (open.fault == Fault::Expire && open.lines >= open.at && open.lines > 0) {
        constexpr std::uint64_t kRows = 3;
        constexpr std::array<std::pair<unsigned, const char*>, kRows> kErrors = {
            std::pair{410U, "Expired"},
            std::pair{500U, "InternalError"},
            std::pair{429U, "TooManyRequests"}};
        const auto& [code, reason] = kErrors[rng_.below(kRows)];
        open.outbox += event_line("ERROR", status_body(code, reason, "now"));
        open.broken = true;
        return;
    }
    ++open.lines;
    open.outbox += event.line;
    if (!noise_ || !troubled_) {
        return;
    }
    if (rng_.below(8) == 0) {
        open.outbox += event.line;  // the same again
    }
    if (rng_.below(8) == 0) {
        open.outbox += "\r\n";
    }
    if (rng_.below(8) == 0) {
        open.outbox += event_line("SPARKLED", "{}");
    }
    if (rng_.below(8) == 0 && event.version > 0) {
        open.outbox += server_.bookmark(rng_.below(event.version), false);  // late
    }
}

// What the server has to say by now.
void Schedule::produce() {
    Connection& open = *connection_;
    if (open.list) {
        return;
    }
    if (server_.lost(open.stream)) {
        open.outbox += event_line("ERROR", status_body(410, "Expired", "gone"));
        open.broken = true;
        return;
    }
    for (const ModelEvent& event : server_.events(open.stream)) {
        append(event);
    }
    if (open.stream.initial && (!troubled_ || rng_.below(2) == 0)) {
        open.stream.initial = false;
        append(ModelEvent{0, server_.bookmark(open.stream.sent, true)});
    } else if (!open.stream.initial && bookmarks_ && rng_.below(4) == 0 && open.stream.sent <= server_.version()) {
        append(ModelEvent{open.stream.sent, server_.bookmark(open.stream.sent, false)});
    }
}

void Schedule::serve() {
    Connection& open = *connection_;
    now_ += std::chrono::milliseconds(rng_.below(900));
    produce();
    longest_ = std::max(longest_, open.delivered + open.outbox.size());
    if (open.outbox.empty() && !open.list) {
        idle();
        return;
    }
    const bool strikes = open.fault >= Fault::End && open.fault != Fault::Expire;
    const std::size_t until =
        strikes ? open.at - std::min(open.at, open.delivered) : open.outbox.size();
    const std::size_t most = std::min(until, open.outbox.size());
    send(troubled_ && !options_.only ? rng_.below(most + 1) : most);
    if (!connection_) {
        return;
    }
    if (strikes && open.delivered >= open.at) {
        strike();
    } else if (open.list && open.outbox.empty()) {
        close(true);
    }
}

void Schedule::send(std::size_t size) {
    Connection& open = *connection_;
    core_.on_bytes(std::string_view(open.outbox).substr(0, size), now_, actions_);
    open.outbox.erase(0, size);
    open.delivered += size;
    apply();
    if (core_.closed()) {
        connection_.reset();
    }
}

void Schedule::strike() {
    switch (connection_->fault) {
        case Fault::End:
            close(true);
            break;
        case Fault::Reset:
            close(false);
            break;
        case Fault::Stall:
            stay_silent();
            break;
        case Fault::Drip:
            drip();
            break;
        case Fault::Garbage:
            core_.on_bytes(kGarbage, now_, actions_);
            close(false);
            break;
        case Fault::None:
        case Fault::Refused:
        case Fault::Status:
        case Fault::Page:
        case Fault::WrongType:
        case Fault::Empty:
        case Fault::Expire:
            break;
    }
}

void Schedule::stay_silent() {
    now_ = std::max(now_, core_.deadline());
    core_.on_deadline(now_, actions_);
    apply();
    if (core_.closed()) {
        connection_.reset();
    }
}

// One byte each 20 s keeps no request alive for long.
void Schedule::drip() {
    constexpr unsigned kMostBytes = 40;
    for (unsigned i = 0; i < kMostBytes && connection_; ++i) {
        now_ += 20s;
        if (now_ >= core_.deadline()) {
            stay_silent();
        } else if (!connection_->outbox.empty()) {
            send(1);
        }
    }
    if (connection_) {
        close(true);
    }
}

// Nothing to send: the next bookmark, the end the client asked for, or its patience.
void Schedule::idle() {
    Connection& open = *connection_;
    constexpr Duration kBookmarks = 60s;
    const bool says = bookmarks_ && open.stream.sent <= server_.version();
    const Instant next =
        std::min({says ? now_ + kBookmarks : core_.deadline(), core_.deadline(), open.ends});
    if (troubled_) {
        now_ = std::min(next, now_ + std::chrono::seconds(rng_.below(30)));
    } else {
        now_ = next;
    }
    if (now_ >= open.ends) {
        close(true);
    } else if (now_ >= core_.deadline()) {
        stay_silent();
    } else if (says && now_ >= next) {
        append(ModelEvent{open.stream.sent, server_.bookmark(open.stream.sent, false)});
    }
}

void Schedule::close(bool clean) {
    const std::optional<Error> error =
        clean ? std::nullopt : std::optional(make_error(Errc::Unavailable, "connection reset"));
    connection_.reset();
    core_.on_closed(error, now_, actions_);
    apply();
}

void Schedule::apply() {
    told_ = told_ || !actions_.empty();
    carrier_.apply(actions_);
}

void Schedule::say(const std::string& what) const {
    if (options_.trace) {
        const auto ms =
            std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch());
        std::fprintf(
            stderr,
            "%10lld ms  at %s: %s\n",
            static_cast<long long>(ms.count()),
            core_.resource_version().c_str(),
            what.c_str()
        );
    }
}

}  // namespace steelyard::kube::faults
