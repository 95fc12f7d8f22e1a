#include "speaker/proxy/diff/ledger.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

// Wanted against found -> ordered operations.
namespace steelyard::proxy {
namespace {

// What an element of the set does to packets, which says when it may come and go.
enum class Effect {
    Allows,     // or masquerades: before what it lets through
    Restricts,  // drops what no other set lets through: after those
    Steers,     // to a marked server: after that
    Drops,      // what nobody here serves: while nobody does
};

Effect effect_of(SetName name) {
    switch (name) {
        case SetName::LoadBalancerFw:
            return Effect::Restricts;
        case SetName::InternalMark:
        case SetName::AffinityMark:
            return Effect::Steers;
        case SetName::NoLocal:
        case SetName::ServiceCidr:
            return Effect::Drops;
        case SetName::LoopBack:
        case SetName::ClusterIp:
        case SetName::ExternalIp:
        case SetName::ExternalIpLocal:
        case SetName::LoadBalancer:
        case SetName::LoadBalancerLocal:
        case SetName::LoadBalancerSourceCidr:
        case SetName::LoadBalancerSourceIp:
        case SetName::NodePortTcp:
        case SetName::NodePortUdp:
        case SetName::NodePortSctp:
        case SetName::NodePortLocalTcp:
        case SetName::NodePortLocalUdp:
        case SetName::NodePortLocalSctp:
        case SetName::HealthCheckNodePort:
        case SetName::IpvsIps:
            break;
    }
    return Effect::Allows;
}

}  // namespace

// Operations by phase; joining the phases in this order is the promise of ledger.hpp.
struct Ledger::Phases {
    std::vector<Op> allowing_in;
    std::vector<Op> restricting_in;
    std::vector<Op> servers_in;
    std::vector<Op> steering_in;
    std::vector<Op> dropping_out;
    std::vector<Op> addresses_in;
    std::vector<Op> dropping_in;
    std::vector<Op> steering_out;
    std::vector<Op> real_servers_out;
    std::vector<Op> addresses_out;
    std::vector<Op> servers_out;
    std::vector<Op> restricting_out;
    std::vector<Op> allowing_out;
    std::size_t new_addresses = 0;

    std::vector<Op> join() {
        const std::array phases{
            &allowing_in,
            &restricting_in,
            &servers_in,
            &steering_in,
            &dropping_out,
            &addresses_in,
            &dropping_in,
            &steering_out,
            &real_servers_out,
            &addresses_out,
            &servers_out,
            &restricting_out,
            &allowing_out};
        std::size_t count = 0;
        for (const std::vector<Op>* phase : phases) {
            count += phase->size();
        }
        std::vector<Op> ops;
        ops.reserve(count);
        for (std::vector<Op>* phase : phases) {
            std::move(phase->begin(), phase->end(), std::back_inserter(ops));
            *phase = std::vector<Op>();
        }
        return ops;
    }
};

std::vector<Op> Ledger::diff(Instant now) {
    Phases phases;
    std::sort(suspect_servers_.begin(), suspect_servers_.end());
    std::sort(suspect_places_.begin(), suspect_places_.end());
    std::sort(suspect_members_.begin(), suspect_members_.end());
    for (const VirtualServerKey& key : std::exchange(suspect_servers_, {})) {
        compare(key, now, phases);
    }
    for (const net::IpAddress& address : std::exchange(suspect_places_, {})) {
        compare(address, phases);
    }
    for (const SetElement& element : std::exchange(suspect_members_, {})) {
        compare(element, phases);
    }
    return phases.join();
}

void Ledger::suspect(const Object& object) {
    if (const auto* key = std::get_if<VirtualServerKey>(&object)) {
        if (const auto at = servers_.find(*key); at != servers_.end()) {
            mark(*key, at->second);
        }
    } else if (const auto* address = std::get_if<net::IpAddress>(&object)) {
        if (const auto at = places_.find(*address); at != places_.end()) {
            mark(*address, at->second);
        }
    } else if (const auto* element = std::get_if<SetElement>(&object)) {
        if (const auto at = members_.find(*element); at != members_.end()) {
            mark(*element, at->second);
        }
    }
}

bool Ledger::has_suspects() const {
    return !suspect_servers_.empty() || !suspect_places_.empty() || !suspect_members_.empty();
}

bool Ledger::is_suspect(const Object& object) const {
    const auto in = [](const auto& records, const auto& key) {
        const auto at = records.find(key);
        return at != records.end() && at->second.suspect;
    };
    if (const auto* key = std::get_if<VirtualServerKey>(&object)) {
        return in(servers_, *key);
    }
    if (const auto* address = std::get_if<net::IpAddress>(&object)) {
        return in(places_, *address);
    }
    return in(members_, std::get<SetElement>(object));
}

void Ledger::end_drains(Instant now) {
    for (const VirtualServerKey& key : drains_.take_due(now)) {
        suspect(key);
    }
}

void Ledger::compare(const VirtualServerKey& key, Instant now, Phases& phases) {
    ++visits_;
    const auto at = servers_.find(key);
    if (at == servers_.end()) {
        return;
    }
    Server& record = at->second;
    record.suspect = false;
    if (!record.wanted) {
        if (record.found) {
            phases.servers_out.emplace_back(RemoveVirtualServer{key});
        } else {
            servers_.erase(at);
        }
        return;
    }
    if (!record.found) {
        phases.servers_in.emplace_back(AddVirtualServer{key, record.wanted->scheduling});
    } else if (record.found->scheduling != record.wanted->scheduling) {
        phases.servers_in.emplace_back(SetVirtualServer{key, record.wanted->scheduling});
    }
    compare_real_servers(key, record, now, phases);
    if (record.found && !record.found.is(record.wanted) &&
        record.found->scheduling == record.wanted->scheduling &&
        record.found->real_servers == record.wanted->real_servers) {
        record.found = record.wanted;
    }
}

void Ledger::compare_real_servers(
    const VirtualServerKey& key, const Server& record, Instant now, Phases& phases
) {
    static const RealServers kNone;
    const RealServers& wanted = record.wanted->real_servers;
    const RealServers& found = record.found ? record.found->real_servers : kNone;
    for (const auto& [endpoint, weight] : wanted) {
        const auto present = found.find(endpoint);
        if (present == found.end()) {
            if (weight > 0) {
                phases.servers_in.emplace_back(AddRealServer{key, endpoint, weight});
            }
        } else if (present->second != weight) {
            // One that is to take no more connections goes on until its replacement is there.
            auto& phase = weight > 0 ? phases.servers_in : phases.real_servers_out;
            phase.emplace_back(SetRealServer{key, endpoint, weight});
        }
        if (!drains_.empty()) {
            drains_.erase({key, endpoint});
        }
    }
    if (!drains_.empty()) {
        drains_.keep_only(key, found);
    }
    for (const auto& [endpoint, weight] : found) {
        if (!wanted.contains(endpoint)) {
            retire(key, *record.wanted, endpoint, weight, now, phases);
        }
    }
}

void Ledger::retire(
    const VirtualServerKey& key,
    const VirtualServer& wanted,
    const net::Endpoint& endpoint,
    std::uint32_t weight,
    Instant now,
    Phases& phases
) {
    const Drains::Key drain{key, endpoint};
    const auto deadline = drains_.deadline(drain);
    const Duration time = grace(wanted);
    // UDP has no end to wait for; SCTP too leaves at once, as under kube-proxy.
    if (key.protocol != net::Protocol::Tcp || time <= Duration::zero() ||
        (deadline && *deadline <= now)) {
        phases.real_servers_out.emplace_back(RemoveRealServer{key, endpoint});
    } else if (weight > 0) {
        phases.real_servers_out.emplace_back(SetRealServer{key, endpoint, 0});
    } else {  // found like that, as after a restart
        drains_.begin(drain, now + time);
    }
}

Duration Ledger::grace(const VirtualServer& server) const {
    return server.drain_grace ? Duration(*server.drain_grace) : drain_grace_;
}

Ledger::Way Ledger::way_for(const Place& place, std::size_t adding) const {
    switch (binding_) {
        case Binding::Addresses:
            return Way::Address;
        case Binding::Routes:
            return Way::Route;
        case Binding::Auto:
            break;
    }
    // What has both was on its way from one to the other: the route has taken the place of the one
    // the kernel makes for an address, so it is the route that must stay.
    if (place.has_route) {
        return Way::Route;
    }
    if (place.has_address) {
        return Way::Address;
    }
    if (place.way != Way::Undecided) {
        return place.way;
    }
    return bound_addresses_ + adding < kMostAddresses ? Way::Address : Way::Route;
}

void Ledger::compare(const net::IpAddress& address, Phases& phases) {
    ++visits_;
    const auto at = places_.find(address);
    if (at == places_.end()) {
        return;
    }
    Place& place = at->second;
    place.suspect = false;
    const bool wanted = place.claims > 0;
    place.way = wanted ? way_for(place, phases.new_addresses) : Way::Undecided;
    const bool as_address = wanted && place.way == Way::Address;
    const bool as_route = wanted && place.way == Way::Route;
    if (as_address && !place.has_address) {
        ++phases.new_addresses;
        phases.addresses_in.emplace_back(AddAddress{address});
    }
    if (as_route && !has_right_route(address, place)) {
        phases.addresses_in.emplace_back(AddRoute{address, source_for(address)});
    }
    // One way of binding ends once the other is known to be there: acknowledged, it makes the
    // address suspect again. One that is refused leaves the address bound as it was.
    if (place.has_address && !as_address && (!as_route || place.has_route)) {
        phases.addresses_out.emplace_back(RemoveAddress{address});
    }
    if (place.has_route && !as_route && (!as_address || place.has_address)) {
        phases.addresses_out.emplace_back(RemoveRoute{address});
    }
    drop_if_unused(address);
}

void Ledger::compare(const SetElement& element, Phases& phases) {
    ++visits_;
    const auto at = members_.find(element);
    if (at == members_.end()) {
        return;
    }
    Member& member = at->second;
    member.suspect = false;
    const Effect effect = effect_of(element.set.name);
    const bool wanted = member.claims > 0;
    if (wanted && (!member.is_found || member.found_mark != member.wanted_mark)) {
        auto& phase = effect == Effect::Allows      ? phases.allowing_in
                      : effect == Effect::Restricts ? phases.restricting_in
                      : effect == Effect::Steers    ? phases.steering_in
                                                    : phases.dropping_in;
        phase.emplace_back(AddSetEntry{element.set, element.entry, member.wanted_mark});
    } else if (!wanted && member.is_found) {
        auto& phase = effect == Effect::Allows      ? phases.allowing_out
                      : effect == Effect::Restricts ? phases.restricting_out
                      : effect == Effect::Steers    ? phases.steering_out
                                                    : phases.dropping_out;
        phase.emplace_back(RemoveSetEntry{element.set, element.entry});
    } else if (!wanted) {
        members_.erase(at);
    }
}

std::size_t Ledger::settled() const {
    std::size_t count = 0;
    for (const auto& [key, record] : servers_) {
        if (record.wanted && record.found.is(record.wanted)) {
            count += 1 + record.found->real_servers.size();
        }
    }
    for (const auto& [address, place] : places_) {
        if (place.claims > 0 && (place.has_address || place.has_route)) {
            ++count;
        }
    }
    for (const auto& [element, member] : members_) {
        if (member.claims > 0 && member.is_found && member.found_mark == member.wanted_mark) {
            ++count;
        }
    }
    return count;
}

}  // namespace steelyard::proxy
