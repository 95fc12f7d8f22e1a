#pragma once

#include "common/base/time.hpp"
#include "common/net/ip.hpp"
#include "common/net/mac.hpp"
#include "speaker/l2/action.hpp"
#include "speaker/l2/drop.hpp"
#include "speaker/l2/ownership.hpp"
#include "speaker/l2/pace.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>

// Answers ICMP echo requests (RFC 792, RFC 4443 4.1) to announced addresses that want it, for nodes
// whose kernel does not have the address itself. The reply goes back to the MAC the request came
// from. Fragments, IP options and frames longer than a usual link carries are not answered; nor is
// more than a monitor would ask for.
namespace steelyard::l2 {

struct EchoRequest {
    net::MacAddress frame_destination;
    net::MacAddress frame_source;
    net::IpAddress source;
    net::IpAddress destination;
    std::span<const std::byte> rest;  // identifier, sequence number, data; views the frame
};

// Refused when the frame is anything but a valid, whole echo request from a unicast address.
[[nodiscard]] Decoded<EchoRequest> decode_echo_request(std::span<const std::byte> frame);
// From the request's destination to its source, sent by `mac`.
[[nodiscard]] Frame encode_echo_reply(const net::MacAddress& mac, const EchoRequest& request);
// Whether an IPv6 frame is an echo request rather than neighbour discovery.
[[nodiscard]] bool is_icmpv6_echo_request(std::span<const std::byte> frame);

class EchoResponder {
public:
    static constexpr double kRepliesPerSecond = 100;  // an address
    static constexpr double kRepliesPerSecondInAll = 1000;

    // `ownership` must outlive it.
    explicit EchoResponder(const Ownership& ownership) : ownership_(&ownership) {}

    // True when it was answered.
    Decoded<net::IpAddress> on_frame(
        const Port& port, std::span<const std::byte> frame, Instant now, Actions& out
    );
    void forget_released();

private:
    const Ownership* ownership_;
    TokenBucket all_{kRepliesPerSecondInAll, kRepliesPerSecondInAll};
    std::unordered_map<net::IpAddress, TokenBucket> buckets_;
};

}  // namespace steelyard::l2
