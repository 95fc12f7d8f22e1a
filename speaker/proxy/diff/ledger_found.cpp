#include "speaker/proxy/diff/ledger.hpp"

#include <algorithm>
#include <utility>

// What the kernel was found to have, by reading or because it acknowledged a write.
namespace steelyard::proxy {
namespace {

using net::Family;

bool same(const VirtualServer& known, const Scheduling& scheduling, const RealServers& servers) {
    return known.scheduling == scheduling && known.real_servers == servers;
}

bool is_open(const VirtualServerRef& server) {
    return server && std::any_of(
                         server->real_servers.begin(),
                         server->real_servers.end(),
                         [](const auto& real_server) {
                             return real_server.second > 0 &&
                                    real_server.second != kForwardsOtherwise;
                         }
                     );
}

}  // namespace

void Ledger::begin_reading() {
    ++reading_;
}

void Ledger::see_server(
    const VirtualServerKey& key, const Scheduling& scheduling, const RealServers& real_servers
) {
    Server& record = servers_[key];
    record.reading = reading_;
    if (record.found && same(*record.found, scheduling, real_servers)) {
        return;
    }
    ++surprises_;
    if (record.wanted && same(*record.wanted, scheduling, real_servers)) {
        set_found(key, record, record.wanted);
        return;
    }
    VirtualServer server;
    server.scheduling = scheduling;
    server.real_servers = real_servers;
    set_found(key, record, VirtualServerRef(std::move(server)));
    mark(key, record);
}

void Ledger::see_server_alone(const VirtualServerKey& key, const VirtualServer* server) {
    if (server != nullptr) {
        see_server(key, server->scheduling, server->real_servers);
        return;
    }
    const auto record = servers_.find(key);
    if (record != servers_.end() && record->second.found) {
        ++surprises_;
        drains_.erase(key);
        set_found(key, record->second, VirtualServerRef());
        mark(key, record->second);
    }
}

void Ledger::see_address(const net::IpAddress& address) {
    Place& place = places_[address];
    place.address_reading = reading_;
    if (!place.has_address) {
        ++surprises_;
        set_bound(address, place, true, place.has_route);
        mark(address, place);
    }
}

void Ledger::see_route(const net::IpAddress& address, const std::optional<net::IpAddress>& source) {
    Place& place = places_[address];
    place.route_reading = reading_;
    const std::uint8_t number = number_of(source);
    if (!place.has_route || place.source != number) {
        ++surprises_;
        set_bound(address, place, place.has_address, true);
        place.source = number;
        mark(address, place);
    }
}

void Ledger::see_entry(const SetId& set, const SetEntry& entry, std::uint32_t value) {
    const SetElement element{set, entry};
    Member& member = members_[element];
    member.reading = reading_;
    if (!member.is_found || member.found_mark != value) {
        ++surprises_;
        member.is_found = true;
        member.found_mark = value;
        mark(element, member);
    }
}

void Ledger::end_reading() {
    for (auto& [key, record] : servers_) {
        if (record.found && record.reading != reading_) {
            ++surprises_;
            drains_.erase(key);
            set_found(key, record, VirtualServerRef());
            mark(key, record);
        }
    }
    for (auto& [address, place] : places_) {
        const bool lost_address = place.has_address && place.address_reading != reading_;
        const bool lost_route = place.has_route && place.route_reading != reading_;
        if (lost_address || lost_route) {
            ++surprises_;
            set_bound(
                address, place, place.has_address && !lost_address, place.has_route && !lost_route
            );
            mark(address, place);
        }
    }
    for (auto& [element, member] : members_) {
        if (member.is_found && member.reading != reading_) {
            ++surprises_;
            member.is_found = false;
            mark(element, member);
        }
    }
}

void Ledger::set_found(const VirtualServerKey& key, Server& record, VirtualServerRef server) {
    record.found = std::move(server);
    count_serving(key, record);
}

void Ledger::count_serving(const VirtualServerKey& key, Server& record) {
    if (key.mark != 0) {
        return;  // beside an address server, for some of its clients
    }
    const bool serves = is_open(record.found);
    const bool should_serve = is_open(record.wanted);
    if (serves == record.serves && should_serve == record.should_serve) {
        return;
    }
    Place& place = places_[key.endpoint.address];
    if (serves != record.serves) {
        serves ? ++place.serving : --place.serving;
    }
    if (should_serve != record.should_serve) {
        should_serve ? ++place.should_serve : --place.should_serve;
    }
    record.serves = serves;
    record.should_serve = should_serve;
    judge(key.endpoint.address, place);
    drop_if_unused(key.endpoint.address);
}

void Ledger::set_bound(
    const net::IpAddress& address, Place& place, bool has_address, bool has_route
) {
    if (has_address != place.has_address) {
        has_address ? ++bound_addresses_ : --bound_addresses_;
    }
    place.has_address = has_address;
    place.has_route = has_route;
    judge(address, place);
}

void Ledger::judge(const net::IpAddress& address, Place& place) {
    const bool bound = place.claims == 0 || place.has_address || place.has_route;
    const bool servable = place.serving > 0 && bound;
    servable_changed_ = servable_changed_ || servable != place.servable;
    place.servable = servable;
    if (place.should_serve > 0 && !servable) {
        unservable_.insert(address);
    } else {
        unservable_.erase(address);
    }
}

// A place that is suspect is dropped when it was compared.
void Ledger::drop_if_unused(const net::IpAddress& address) {
    const auto at = places_.find(address);
    if (at == places_.end()) {
        return;
    }
    const Place& place = at->second;
    if (place.claims == 0 && place.serving == 0 && place.should_serve == 0 && !place.has_address &&
        !place.has_route && !place.suspect) {
        places_.erase(at);
    }
}

std::uint8_t Ledger::number_of(const std::optional<net::IpAddress>& source) {
    constexpr std::size_t kMost = 250;
    auto at = std::find(seen_sources_.begin(), seen_sources_.end(), source);
    if (at == seen_sources_.end()) {
        if (seen_sources_.size() > kMost) {
            seen_sources_.clear();  // the node keeps changing its address: numbers start anew,
                                    // and the next reading finds routes to be put right
        }
        at = seen_sources_.insert(seen_sources_.end(), source);
    }
    return static_cast<std::uint8_t>(at - seen_sources_.begin());
}

std::optional<net::IpAddress> Ledger::source_for(const net::IpAddress& address) const {
    const auto found = sources_.find(address.family());
    return found == sources_.end() ? std::nullopt : std::optional(found->second);
}

bool Ledger::has_right_route(const net::IpAddress& address, const Place& place) const {
    return place.has_route && place.source < seen_sources_.size() &&
           seen_sources_[place.source] == source_for(address);
}

// Follows acknowledged operations. Neighbours that write to one virtual server are gathered, so
// that its value is made once.
class Ledger::Acknowledging {
public:
    Acknowledging(Ledger& ledger, Instant now) : ledger_(ledger), now_(now) {}
    Acknowledging(const Acknowledging&) = delete;
    Acknowledging& operator=(const Acknowledging&) = delete;
    ~Acknowledging() { close(); }

    void operator()(const AddSetEntry& op) {
        Member& member = ledger_.members_[SetElement{op.set, op.entry}];
        member.is_found = true;
        member.found_mark = op.mark;
    }
    void operator()(const RemoveSetEntry& op) {
        const auto at = ledger_.members_.find(SetElement{op.set, op.entry});
        if (at != ledger_.members_.end()) {
            at->second.is_found = false;
            if (at->second.claims == 0 && !at->second.suspect) {
                ledger_.members_.erase(at);
            }
        }
    }
    void operator()(const AddAddress& op) {
        Place& place = ledger_.places_[op.address];
        ledger_.set_bound(op.address, place, true, place.has_route);
        go_on_if_bound_twice(op.address, place);
    }
    void operator()(const RemoveAddress& op) {
        Place& place = ledger_.places_[op.address];
        ledger_.set_bound(op.address, place, false, place.has_route);
        ledger_.drop_if_unused(op.address);
    }
    void operator()(const AddRoute& op) {
        Place& place = ledger_.places_[op.address];
        ledger_.set_bound(op.address, place, place.has_address, true);
        place.source = ledger_.number_of(op.source);
        go_on_if_bound_twice(op.address, place);
    }
    void operator()(const RemoveRoute& op) {
        Place& place = ledger_.places_[op.address];
        ledger_.set_bound(op.address, place, place.has_address, false);
        ledger_.drop_if_unused(op.address);
    }
    void operator()(const AddVirtualServer& op) { open(op.key).scheduling = op.scheduling; }
    void operator()(const SetVirtualServer& op) { open(op.key).scheduling = op.scheduling; }
    void operator()(const RemoveVirtualServer& op) {
        close();
        ledger_.drains_.erase(op.key);
        const auto at = ledger_.servers_.find(op.key);
        if (at == ledger_.servers_.end()) {
            return;
        }
        ledger_.set_found(op.key, at->second, VirtualServerRef());
        if (!at->second.wanted && !at->second.suspect) {
            ledger_.servers_.erase(at);
        }
    }
    void operator()(const AddRealServer& op) {
        open(op.key).real_servers[op.endpoint] = op.weight;
        ledger_.drains_.erase({op.key, op.endpoint});
    }
    void operator()(const SetRealServer& op) {
        open(op.key).real_servers[op.endpoint] = op.weight;
        const VirtualServerRef& wanted = ledger_.servers_[op.key].wanted;
        if (op.weight > 0) {
            ledger_.drains_.erase({op.key, op.endpoint});
        } else if (wanted && !wanted->real_servers.contains(op.endpoint)) {
            ledger_.drains_.begin({op.key, op.endpoint}, now_ + ledger_.grace(*wanted));
        }
    }
    void operator()(const RemoveRealServer& op) {
        open(op.key).real_servers.erase(op.endpoint);
        ledger_.drains_.erase({op.key, op.endpoint});
    }

private:
    // On the way from one way of binding to the other.
    void go_on_if_bound_twice(const net::IpAddress& address, Place& place) {
        if (place.has_address && place.has_route) {
            ledger_.mark(address, place);
        }
    }
    VirtualServer& open(const VirtualServerKey& key) {
        if (!server_ || key_ != key) {
            close();
            key_ = key;
            const VirtualServerRef& found = ledger_.servers_[key].found;
            server_.emplace(found ? *found : VirtualServer());
        }
        return *server_;
    }
    void close() {
        if (!server_) {
            return;
        }
        Server& record = ledger_.servers_[key_];
        const bool as_wanted =
            record.wanted && same(*record.wanted, server_->scheduling, server_->real_servers);
        ledger_.set_found(
            key_, record, as_wanted ? record.wanted : VirtualServerRef(std::move(*server_))
        );
        server_.reset();
    }

    Ledger& ledger_;
    Instant now_;
    VirtualServerKey key_;
    std::optional<VirtualServer> server_;
};

void Ledger::acknowledge(
    const std::vector<Op>& ops, const std::vector<std::size_t>& refused, Instant now
) {
    Acknowledging acknowledging(*this, now);
    auto skip = refused.begin();
    for (std::size_t i = 0; i < ops.size(); ++i) {
        if (skip != refused.end() && *skip == i) {
            ++skip;
        } else {
            std::visit(acknowledging, ops[i]);
        }
    }
}

std::shared_ptr<const std::set<net::IpAddress>> Ledger::servable() {
    if (std::exchange(servable_changed_, false)) {
        auto now = std::make_shared<std::set<net::IpAddress>>();
        for (const auto& [address, place] : places_) {
            if (place.servable) {
                now->insert(now->end(), address);
            }
        }
        if (*now != *servable_) {
            servable_ = std::move(now);
        }
    }
    return servable_;
}

bool Ledger::owns(const VirtualServerKey& key) const {
    const auto at = servers_.find(key);
    return at != servers_.end() && (at->second.wanted || at->second.found);
}

std::optional<VirtualServerKey> Ledger::known_after(const VirtualServerKey& key) const {
    const auto is_known = [](const auto& server) {
        return server.second.wanted && server.second.found;
    };
    const auto from = servers_.upper_bound(key);
    auto at = std::find_if(from, servers_.end(), is_known);
    if (at == servers_.end()) {
        at = std::find_if(servers_.begin(), from, is_known);
        if (at == from) {
            return std::nullopt;
        }
    }
    return at->first;
}

const RealServers* Ledger::found_real_servers(const VirtualServerKey& key) const {
    const auto at = servers_.find(key);
    return at != servers_.end() && at->second.found ? &at->second.found->real_servers : nullptr;
}

void Ledger::for_marked(const std::function<void(const SetElement&, std::uint32_t mark)>& show
) const {
    for (const SetName name : {SetName::InternalMark, SetName::AffinityMark}) {
        for (const Family family : {Family::V4, Family::V6}) {
            const SetId set{name, family};
            for (auto at = members_.lower_bound(SetElement{set, SetEntry()});
                 at != members_.end() && at->first.set == set;
                 ++at) {
                if (at->second.is_found) {
                    show(at->first, at->second.found_mark);
                }
            }
        }
    }
}

KernelTables Ledger::found() const {
    KernelTables tables;
    for (const auto& [key, server] : servers_) {
        if (server.found) {
            tables.virtual_servers[key] = *server.found;
            tables.virtual_servers[key].drain_grace.reset();
        }
    }
    for (const auto& [address, place] : places_) {
        if (place.has_address) {
            tables.addresses.insert(address);
        }
        if (place.has_route) {
            tables.routes.insert(address);
        }
    }
    for (const auto& [element, member] : members_) {
        if (member.is_found) {
            tables.sets[element.set][element.entry] = member.found_mark;
        }
    }
    return tables;
}

}  // namespace steelyard::proxy
