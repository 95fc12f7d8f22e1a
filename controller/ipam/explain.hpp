#pragma once

#include "controller/ipam/request.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

// The allocator's sentences: each refusal says what is wrong and what to change. Texts never hold
// counts or times, so the same situation always reads the same and repeats can be recognised.
namespace steelyard::ipam::explain {

[[nodiscard]] Refusal no_pools();
[[nodiscard]] Refusal unknown_pool(const std::string& pool);
[[nodiscard]] Refusal pool_not_allowed(const Request& request);  // of request.pool
[[nodiscard]] Refusal no_matching_pool();
[[nodiscard]] Refusal not_in_pool(const net::IpAddress& address);
[[nodiscard]] Refusal avoided(const net::IpAddress& address, const std::string& pool);
[[nodiscard]] Refusal different_pools(
    const net::IpAddress& first,
    const std::string& first_pool,
    const net::IpAddress& second,
    const std::string& second_pool
);
[[nodiscard]] Refusal pool_mismatch(
    const net::IpAddress& address, const std::string& actual, const std::string& requested
);
[[nodiscard]] Refusal exhausted(
    const std::vector<std::string>& pools, std::span<const net::Family> families
);

// Why addresses do not fit the request itself: families, or not the addresses asked for.
[[nodiscard]] std::optional<Refusal> unfit(
    const Request& request, std::span<const net::IpAddress> addresses
);
// Why the request may not join `holder` on the address; absent when both may share it.
[[nodiscard]] std::optional<Refusal> conflict(
    const Request& request,
    const net::IpAddress& address,
    const kube::ObjectKey& holder,
    const Sharing& held
);

}  // namespace steelyard::ipam::explain
