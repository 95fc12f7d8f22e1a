#include "speaker/bgp/discovery/discovery.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::bgp_discovery {

using namespace std::chrono_literals;

namespace {

constexpr Duration kSearching = 3s;  // between advertisements while nobody is found
constexpr Duration kFound = 10s;     // afterwards, for a neighbour that starts anew
constexpr Duration kClosest = 1s;    // however often we are solicited
constexpr Duration kSettle = 2s;     // a session gets a chance before another router does
constexpr int kSolicitations = 3;    // RFC 4861 10, MAX_RTR_SOLICITATIONS

}  // namespace

Discovery::Discovery(Link link, Rng rng, Instant now)
    : link_(std::move(link)), rng_(rng), advertise_at_(now), solicitations_left_(kSolicitations) {}

void Discovery::set_link(Link link) {
    link_ = std::move(link);
}

bool Discovery::on_packet(
    std::span<const std::byte> message, const net::IpAddress& source, int hop_limit, Instant now
) {
    const Decoded decoded = decode(message, source, hop_limit);
    if (decoded.refusal != Refusal::None) {
        ++counters_.refused[static_cast<std::size_t>(decoded.refusal)];
        return false;
    }
    if (std::find(link_.own.begin(), link_.own.end(), source) != link_.own.end()) {
        return false;
    }
    if (decoded.type == RouterMessage::Solicitation) {
        ++counters_.solicitations_in;
        advertise_soon(now);
        return false;
    }
    ++counters_.advertisements_in;
    const bool settled = !chosen_at_ || now >= *chosen_at_ + kSettle;
    if (neighbour_ == source || (neighbour_ && (in_use_ || !settled))) {
        return false;
    }
    neighbour_ = source;
    chosen_at_ = now;
    solicitations_left_ = 0;
    // It may have begun just now and not have heard us yet.
    advertise_soon(now);
    return true;
}

void Discovery::meet(const net::IpAddress& address) {
    if (!neighbour_) {
        neighbour_ = address;
        solicitations_left_ = 0;
    }
}

void Discovery::advertise_soon(Instant now) {
    const Instant earliest = advertised_ ? *advertised_ + kClosest : now;
    advertise_at_ = std::min(advertise_at_, std::max(now, earliest));
}

void Discovery::on_deadline(Instant now, std::vector<Packet>& out) {
    if (now < advertise_at_) {
        return;
    }
    out.push_back({all_nodes(), encode_advertisement(link_.mac)});
    if (solicitations_left_ > 0) {
        --solicitations_left_;
        out.push_back({all_routers(), encode_solicitation(link_.mac)});
    }
    counters_.sent += out.size();
    advertised_ = now;
    // Three quarters to all of it, so that two who started together do not stay in step.
    const Duration period = neighbour_ ? kFound : kSearching;
    const double share = 0.75 + 0.25 * rng_.unit();
    advertise_at_ = now + std::chrono::duration_cast<Duration>(period * share);
}

}  // namespace steelyard::bgp_discovery
