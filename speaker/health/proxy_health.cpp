#include "speaker/health/proxy_health.hpp"

#include "common/kube/model/encode.hpp"

#include <algorithm>

namespace steelyard::health {
namespace {

// What kube-proxy shows for "not yet".
constexpr const char* kNever = "0001-01-01T00:00:00Z";

// An instant of the steady clock as people read it.
std::string shown(const std::optional<Instant>& instant, const Moment& at) {
    if (!instant) {
        return kNever;
    }
    const auto ago = std::chrono::duration_cast<WallTime::duration>(at.now - *instant);
    return kube::format_rfc3339_micro(at.wall - ago);
}

const char* boolean(bool value) {
    return value ? "true" : "false";
}

std::optional<Instant> older(const std::optional<Instant>& a, const std::optional<Instant>& b) {
    if (!a || !b) {
        return a ? a : b;
    }
    return std::min(*a, *b);
}

}  // namespace

bool is_eligible(const NodeFacts& node) {
    return node.known && !node.deleting &&
           std::find(node.taint_keys.begin(), node.taint_keys.end(), kToBeDeletedTaint) ==
               node.taint_keys.end();
}

ProxyHealth::ProxyHealth(std::vector<net::Family> families, Duration patience)
    : patience_(patience) {
    for (const net::Family family : families) {
        families_[family];
    }
}

void ProxyHealth::on_queued(net::Family family, Instant now) {
    State& state = families_[family];
    if (!state.queued) {
        state.queued = now;
    }
}

void ProxyHealth::on_started(net::Family family) {
    State& state = families_[family];
    state.writing = older(state.writing, state.queued);
    state.queued.reset();
    state.started = true;
}

void ProxyHealth::on_synced(net::Family family, Instant now) {
    State& state = families_[family];
    if (!state.started) {
        state.queued.reset();
    }
    state.writing.reset();
    state.started = false;
    state.synced = now;
}

void ProxyHealth::on_failed(net::Family family) {
    State& state = families_[family];
    state.queued = older(state.writing, state.queued);
    state.writing.reset();
    state.started = false;
}

bool ProxyHealth::healthy(const State& state, Instant now) const {
    const auto oldest = older(state.writing, state.queued);
    return !oldest || now - *oldest < patience_;
}

bool ProxyHealth::healthy(Instant now) const {
    return std::all_of(families_.begin(), families_.end(), [&](const auto& entry) {
        return healthy(entry.second, now);
    });
}

Response ProxyHealth::healthz(const Moment& at) const {
    return respond(at, eligible_);
}

Response ProxyHealth::livez(const Moment& at) const {
    return respond(at, std::nullopt);
}

Response ProxyHealth::respond(const Moment& at, const std::optional<bool>& eligible) const {
    const bool in_time = healthy(at.now);
    const bool well = in_time && eligible.value_or(true);
    std::optional<Instant> last;
    std::string status;
    for (const auto& [family, state] : families_) {
        if (state.synced && (!last || *last < *state.synced)) {
            last = state.synced;
        }
        status += status.empty() ? "" : ",";
        status += "\"" + std::string(to_string(family)) + "\":{\"lastUpdated\":\"";
        status += shown(state.synced, at) + "\",\"healthy\":";
        status += std::string(boolean(healthy(state, at.now))) + "}";
    }
    if (well) {
        last = at.now;  // older readers take the age of this for the age of the last sync loop
    }
    Response response;
    response.status = well ? 200 : 503;
    response.content_type = "application/json";
    response.headers = {{"X-Content-Type-Options", "nosniff"}};
    response.body = "{\"lastUpdated\":\"" + shown(last, at) + "\",\"currentTime\":\"" +
                    kube::format_rfc3339_micro(at.wall) + "\"";
    if (eligible) {
        response.body += std::string(",\"nodeEligible\":") + boolean(*eligible);
    }
    response.body += std::string(",\"healthy\":") + boolean(in_time);
    response.body += ",\"status\":{" + status + "}}";
    return response;
}

}  // namespace steelyard::health
