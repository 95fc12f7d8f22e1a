#include "e2e/apiserver/faults/counts.hpp"

#include <algorithm>

namespace steelyard::apiserver {

namespace {

std::pair<std::string, std::string> kind_of(const RequestKey& request) {
    return {
        request.verb,
        request.subresource.empty() ? request.resource
                                    : request.resource + "/" + request.subresource};
}

void add(RequestCount& count) {
    ++count.total;
    ++count.in_flight;
    count.most_in_flight = std::max(count.most_in_flight, count.in_flight);
}

void restart(RequestCount& count) {
    count.total = 0;
    count.most_in_flight = count.in_flight;
}

}  // namespace

void RequestCounts::began(const RequestKey& request) {
    add(all_);
    add(by_kind_[kind_of(request)]);
}

void RequestCounts::ended(const RequestKey& request) {
    --all_.in_flight;
    --by_kind_[kind_of(request)].in_flight;
}

void RequestCounts::reset() {
    restart(all_);
    for (auto& [kind, count] : by_kind_) {
        restart(count);
    }
}

RequestCount RequestCounts::of(const std::string& verb, const std::string& resource) const {
    const auto found = by_kind_.find({verb, resource});
    return found == by_kind_.end() ? RequestCount() : found->second;
}

Json RequestCounts::to_json() const {
    Json kinds = Json::array();
    for (const auto& [kind, count] : by_kind_) {
        kinds.push_back(Json{
            {"verb", kind.first},
            {"resource", kind.second},
            {"count", count.total},
            {"inFlight", count.in_flight},
            {"maxInFlight", count.most_in_flight}});
    }
    return Json{
        {"count", all_.total},
        {"inFlight", all_.in_flight},
        {"maxInFlight", all_.most_in_flight},
        {"requests", std::move(kinds)}};
}

}  // namespace steelyard::apiserver
