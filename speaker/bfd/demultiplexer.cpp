#include "speaker/bfd/demultiplexer.hpp"

#include <algorithm>

namespace steelyard::bfd {

void Demultiplexer::add(SessionId id, const SessionConfig& config) {
    Place place;
    place.remote = config.remote;
    place.local = config.local;
    place.vrf = config.vrf;
    place.multihop = config.multihop;
    place.any_interface = config.interface.empty();
    by_discriminator_[static_cast<std::uint32_t>(id)] = std::move(place);
    by_remote_[config.remote].push_back(id);
}

void Demultiplexer::set_interface(SessionId id, std::optional<unsigned> index) {
    const auto place = by_discriminator_.find(static_cast<std::uint32_t>(id));
    if (place != by_discriminator_.end()) {
        place->second.interface = index.value_or(0);
    }
}

void Demultiplexer::remove(SessionId id) {
    const auto place = by_discriminator_.find(static_cast<std::uint32_t>(id));
    if (place == by_discriminator_.end()) {
        return;
    }
    const auto same_remote = by_remote_.find(place->second.remote);
    auto& ids = same_remote->second;
    ids.erase(std::remove(ids.begin(), ids.end(), id), ids.end());
    if (ids.empty()) {
        by_remote_.erase(same_remote);
    }
    by_discriminator_.erase(place);
}

std::variant<SessionId, Drop> Demultiplexer::find(
    const ControlPacket& packet, const Arrival& arrival
) const {
    if (packet.your_discriminator != 0) {
        const auto place = by_discriminator_.find(packet.your_discriminator);
        if (place == by_discriminator_.end()) {
            return Drop::UnknownDiscriminator;
        }
        if (!fits(place->second, arrival)) {
            return Drop::WrongPeer;
        }
        return SessionId{packet.your_discriminator};
    }
    if (packet.state != State::Down && packet.state != State::AdminDown) {
        return Drop::YourDiscriminatorZero;
    }
    return by_address(arrival);
}

bool Demultiplexer::fits(const Place& place, const Arrival& arrival) {
    return place.remote == arrival.from && place.multihop == arrival.multihop &&
           place.vrf == arrival.vrf &&
           (place.any_interface || (place.interface != 0 && place.interface == arrival.interface)
           ) &&
           (!place.local || *place.local == arrival.to);
}

// The one that says most about where its packets come in.
std::variant<SessionId, Drop> Demultiplexer::by_address(const Arrival& arrival) const {
    std::optional<SessionId> best;
    int best_score = -1;
    const auto same_remote = by_remote_.find(arrival.from);
    if (same_remote != by_remote_.end()) {
        for (const SessionId id : same_remote->second) {
            const Place& place = by_discriminator_.at(static_cast<std::uint32_t>(id));
            const int score = (place.any_interface ? 0 : 2) + (place.local ? 1 : 0);
            if (score > best_score && fits(place, arrival)) {
                best = id;
                best_score = score;
            }
        }
    }
    if (!best) {
        return Drop::UnknownPeer;
    }
    return *best;
}

// Who comes from an address nobody has, but knows our discriminator, is that session's peer.
std::optional<SessionId> Demultiplexer::nearest(
    std::uint32_t your_discriminator, const Arrival& arrival
) const {
    const auto known = by_discriminator_.find(your_discriminator);
    if (known != by_discriminator_.end()) {
        return SessionId{your_discriminator};
    }
    std::optional<SessionId> best;
    int best_score = -1;
    if (const auto same = by_remote_.find(arrival.from); same != by_remote_.end()) {
        for (const SessionId id : same->second) {
            const Place& place = by_discriminator_.at(static_cast<std::uint32_t>(id));
            const int score = (fits(place, arrival) ? 4 : 0) + (place.vrf == arrival.vrf ? 2 : 0) +
                              (place.multihop == arrival.multihop ? 1 : 0);
            if (score > best_score) {
                best = id;
                best_score = score;
            }
        }
    }
    return best;
}

}  // namespace steelyard::bfd
