#include "speaker/bfd/refusals.hpp"

#include <algorithm>

namespace steelyard::bfd {
namespace {

constexpr Duration kPatience = 2s;

std::string port_name(bool multihop) {
    return multihop ? "port 4784 (multihop)" : "port 3784 (single hop)";
}

std::string vrf_name(const std::string& vrf) {
    return vrf.empty() ? "the default VRF" : "VRF " + vrf;
}

}  // namespace

void Refusals::note(Drop reason, const Arrival& arrival, Instant now) {
    const Instant first = last_ ? last_->first : now;
    const bool same = last_ && last_->reason == reason;
    const unsigned ttl = same ? std::min(last_->ttl, arrival.ttl) : arrival.ttl;
    last_ = Last{
        reason,
        arrival.from,
        arrival.to,
        std::string(arrival.vrf),
        arrival.multihop,
        ttl,
        first,
        now};
}

std::string Refusals::text(const SessionConfig& config) const {
    if (!last_ || last_->latest - last_->first < kPatience) {
        return "";
    }
    const std::string ttl = std::to_string(last_->ttl);
    switch (last_->reason) {
        case Drop::TtlNot255:
            return "its packets arrive with TTL " + ttl +
                   ", those of a neighbour with 255: it is more than one hop away (multihop?)";
        case Drop::TtlTooLow:
            return "its packets arrive with TTL " + ttl + ", below minimumTtl " +
                   std::to_string(config.profile.minimum_ttl) +
                   " of the BFD profile: a router that sends with a TTL under 255 (BIRD: 64) needs "
                   "a minimumTtl of " +
                   ttl + " or less";
        case Drop::Authentication:
            return "it authenticates its packets, which is not supported: turn that off there";
        case Drop::UnknownDiscriminator:
            return "it answers a session (your discriminator) that this node does not have";
        case Drop::YourDiscriminatorZero:
            return "it says Init or Up without your discriminator, which BFD forbids";
        case Drop::UnknownPeer:
        case Drop::WrongPeer:
            return misplaced(*last_, config);
        case Drop::TooShort:
        case Drop::Version:
        case Drop::LengthTooSmall:
        case Drop::LengthBeyondPacket:
        case Drop::MultiplierZero:
        case Drop::Multipoint:
        case Drop::MyDiscriminatorZero:
        case Drop::EchoForeign:
            break;
    }
    return "its packets are malformed (" + std::string(to_string(last_->reason)) + ")";
}

std::string Refusals::misplaced(const Last& last, const SessionConfig& config) {
    if (last.from != config.remote) {
        return "it answers from " + to_string(last.from);
    }
    if (last.multihop != config.multihop) {
        return "it sends to " + port_name(last.multihop) + ", the session here is on " +
               port_name(config.multihop);
    }
    if (last.vrf != config.vrf) {
        return "its packets arrive in " + vrf_name(last.vrf) + ", the session here is in " +
               vrf_name(config.vrf);
    }
    if (config.local && *config.local != last.to) {
        return "it sends to " + to_string(last.to) + ", the session here is at " +
               to_string(*config.local);
    }
    return "its packets do not arrive on interface " + config.interface;
}

}  // namespace steelyard::bfd
