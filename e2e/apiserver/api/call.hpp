#pragma once

#include "e2e/apiserver/api/api.hpp"
#include "e2e/apiserver/callout/exchange.hpp"
#include "e2e/apiserver/patch/apply.hpp"

// Private to api: one request being worked on.
namespace steelyard::apiserver {

struct Api::Call {
    const ApiRequest& request;
    WallTime now;
    Route route;
    std::string verb;
    const Kind* kind = nullptr;
    const KindVersion* version = nullptr;
    std::vector<std::string> warnings;
    Exchange& exchange;  // with webhooks

    [[nodiscard]] Subject subject() const { return kind->subject(route.name); }
    [[nodiscard]] std::string key() const { return object_key(route.ns, route.name); }
    [[nodiscard]] bool status() const { return route.subresource == "status"; }
    [[nodiscard]] bool dry_run() const { return !query_text(request.query, "dryRun").empty(); }
    [[nodiscard]] std::string field_manager() const;
    [[nodiscard]] ApplyRequest apply_request(std::string manager) const;
};

// The Table a client asked for by its Accept header, if it did.
[[nodiscard]] std::optional<TableFormat> table_format(const ApiRequest& request);

}  // namespace steelyard::apiserver
