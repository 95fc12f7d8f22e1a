#pragma once

#include "common/config/config.hpp"
#include "controller/ipam/claims.hpp"
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
[[nodiscard]] Refusal pool_not_allowed(const std::string& pool, const std::string& ns);
[[nodiscard]] Refusal no_matching_pool();
[[nodiscard]] Refusal not_in_pool(const net::IpAddress& address);
[[nodiscard]] Refusal avoided(const net::IpAddress& address, const std::string& pool);
// By one of the configuration's policies.
[[nodiscard]] Refusal excluded(
    const net::IpAddress& address, const std::string& pool, const config::Config& config
);
[[nodiscard]] Refusal reserved(const net::IpAddress& address, const Claim& claim);
[[nodiscard]] Refusal over_quota(
    const std::string& ns, const std::string& policy, std::int64_t limit
);
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

// Only when explaining: why this pool has nothing for the addresses asked for, or is not asked.
[[nodiscard]] Refusal not_of_pool(
    const std::vector<net::IpAddress>& addresses, const std::string& pool
);
[[nodiscard]] Refusal barred(Reason reason, const std::string& pool, const Request& request);

// Why addresses do not fit the request itself: families, or not the addresses asked for.
[[nodiscard]] std::optional<Refusal> unfit(
    const Request& request, std::span<const net::IpAddress> addresses
);
// Why the request may not join `holder` on the address; absent when both may share it. Null: the
// holder shares with nobody.
[[nodiscard]] std::optional<Refusal> conflict(
    const Request& request,
    const net::IpAddress& address,
    const kube::ObjectKey& holder,
    const Sharing* held
);

}  // namespace steelyard::ipam::explain
