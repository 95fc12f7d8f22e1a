#include "e2e/apiserver/server/api_server.hpp"

// The page /faults: GET tells the counts, POST takes a rule, a list of rules, or an action.
namespace steelyard::apiserver {

using http_server::Request;
using http_server::Response;

Result<> ApiServer::control(const std::string& action, const Json& body) {
    if (action == "drop-watches") {
        drop_watches();
    } else if (action == "forget-history") {
        forget_history();
    } else if (action == "restart") {
        restart();
    } else if (action == "clear") {
        faults_.clear();
    } else if (action == "bookmarks") {
        send_bookmarks();
    } else if (action == "freeze-cache") {
        freeze_cache();
    } else if (action == "thaw-cache") {
        thaw_cache();
    } else if (action == "reset-counts") {
        counts_.reset();
    } else if (action == "latency") {
        set_latency(std::chrono::milliseconds(integer_at(body, "latencyMs").value_or(0)));
    } else if (action == "clock") {
        set_clock_offset(std::chrono::seconds(integer_at(body, "offsetSeconds").value_or(0)));
    } else {
        return make_error(
            Errc::Invalid,
            "action \"" + action +
                "\": want drop-watches, forget-history, restart, clear, bookmarks, freeze-cache, "
                "thaw-cache, reset-counts, latency (with latencyMs) or clock (with offsetSeconds)"
        );
    }
    return {};
}

Response ApiServer::serve_faults(const Request& request) {
    if (request.method != "POST") {
        Json state = counts_.to_json();
        state["rules"] = faults_.size();
        state["watches"] = watchers_.size();
        return http_server::json_response(200, dump(state));
    }
    Json body = parse_json(request.body);
    if (!body.is_array()) {
        body = Json::array({std::move(body)});
    }
    for (const Json& entry : body) {
        const std::string action = text_at(entry, "action");
        Result<> done;
        if (!action.empty()) {
            done = control(action, entry);
        } else if (auto rule = parse_fault(entry)) {
            faults_.add(std::move(*rule));
        } else {
            done = rule.error();
        }
        if (!done) {
            return http_server::json_response(
                400, dump(to_status(bad_request(done.error().context)))
            );
        }
    }
    return http_server::json_response(200, "{}");
}

}  // namespace steelyard::apiserver
