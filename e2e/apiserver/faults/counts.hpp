#pragma once

#include "e2e/apiserver/faults/faults.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>

// How many requests came, by verb and resource, and how many were being answered at the same time.
// A watch counts until its stream begins.
namespace steelyard::apiserver {

struct RequestCount {
    std::uint64_t total = 0;
    std::uint64_t in_flight = 0;
    std::uint64_t most_in_flight = 0;
};

class RequestCounts {
public:
    void began(const RequestKey& request);
    void ended(const RequestKey& request);
    // What is in flight stays so.
    void reset();

    [[nodiscard]] const RequestCount& all() const { return all_; }
    // "services", or "services/status" for the subresource alone.
    [[nodiscard]] RequestCount of(const std::string& verb, const std::string& resource) const;
    [[nodiscard]] Json to_json() const;

private:
    RequestCount all_;
    std::map<std::pair<std::string, std::string>, RequestCount> by_kind_;  // verb, resource
};

}  // namespace steelyard::apiserver
