#pragma once

#include "common/base/time.hpp"

#include <chrono>
#include <string>

// The spans a session goes by, beside those of the configuration.
namespace steelyard::bgp {

// An attempt to connect has so long: an answer takes one round trip, and a SYN is repeated after 1,
// 3 and 7 s.
inline constexpr Duration kDialTimeout = std::chrono::seconds(10);
// Between attempts that no TCP connection came of.
inline constexpr Duration kFirstRetry = std::chrono::seconds(1);
inline constexpr Duration kLongestRetry = std::chrono::seconds(30);
// IdleHold: after a session, or an attempt at one, ended in an error.
inline constexpr Duration kFirstIdleHold = std::chrono::seconds(1);
inline constexpr Duration kLongestIdleHold = std::chrono::seconds(120);
// A session that lasted so long forgives the failures before it.
inline constexpr Duration kStableAfter = std::chrono::seconds(60);
// An unnumbered peer advertises itself within this time, if it does at all.
inline constexpr Duration kHearPatience = std::chrono::seconds(5);
// In IdleHold the peer's calls are refused only so long: it may have been repaired on its side.
inline constexpr Duration kDeafToCalls = std::chrono::seconds(5);
// The hold time until OPEN tells another (RFC 4271 8.2.2: "a large value").
inline constexpr Duration kOpenHoldTime = std::chrono::minutes(4);
// What is connected and not heard so long is said to be in trouble.
inline constexpr Duration kOpenPatience = std::chrono::seconds(15);
// RFC 9687: at least so long, or twice the hold time.
inline constexpr Duration kSendHoldTime = std::chrono::minutes(8);
// After BFD ended a session: how long to wait for BFD to come up before trying without it.
inline constexpr Duration kBfdPatience = std::chrono::seconds(30);
// How long two connections with one peer wait for what the peer makes of them.
inline constexpr Duration kCollisionPatience = std::chrono::seconds(5);
// A call of a peer under graceful restart replaces a session of this age; before, it is a
// collision.
inline constexpr Duration kReplaceAfter = std::chrono::seconds(10);
// A deadline noticed so late means that we were asleep, not that the peer was silent; it then has
// this long again.
inline constexpr Duration kAsleep = std::chrono::seconds(1);
inline constexpr Duration kStallGrace = std::chrono::seconds(2);

[[nodiscard]] std::string seconds_text(Duration duration);  // "90 s"

}  // namespace steelyard::bgp
