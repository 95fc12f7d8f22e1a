#include "speaker/proxy/diff/ledger.hpp"

#include <algorithm>
#include <utility>

// What Services want, claim by claim.
namespace steelyard::proxy {
namespace {

// Walks two sorted ranges together: what is only in the first, only in the second, in both.
template <class Range, class KeyOf, class Gone, class Come, class Both>
void walk(const Range& before, const Range& after, KeyOf key_of, Gone gone, Come come, Both both) {
    auto left = before.begin();
    auto right = after.begin();
    while (left != before.end() || right != after.end()) {
        if (right == after.end() || (left != before.end() && key_of(*left) < key_of(*right))) {
            gone(*left++);
        } else if (left == before.end() || key_of(*right) < key_of(*left)) {
            come(*right++);
        } else {
            both(*left++, *right++);
        }
    }
}

constexpr auto kFirst = [](const auto& item) -> const auto& {
    return item.first;
};
constexpr auto kItself = [](const auto& item) -> const auto& {
    return item;
};

}  // namespace

Ledger::Ledger(const ProxyConfig& config)
    : binding_(config.binding), drain_grace_(config.drain_grace) {}

void Ledger::update(const Changes& changes) {
    static const ServiceTables kNone;
    set_sources(changes.sources);
    for (const auto& [service, after] : changes.services) {
        auto at = services_.find(service);
        if (at == services_.end()) {
            if (!after) {
                continue;
            }
            at = services_.emplace(service, nullptr).first;
        }
        const std::shared_ptr<const ServiceTables> before = std::exchange(at->second, after);
        if (before != after) {
            change(at->first, before ? *before : kNone, after ? *after : kNone);
        }
        if (!after) {
            services_.erase(at);
        }
    }
}

void Ledger::set_sources(const std::map<net::Family, net::IpAddress>& sources) {
    if (sources == sources_) {
        return;
    }
    sources_ = sources;
    for (auto& [address, place] : places_) {
        if (place.has_route && !has_right_route(address, place)) {
            mark(address, place);
        }
    }
}

void Ledger::change(
    const kube::ObjectKey& service, const ServiceTables& before, const ServiceTables& after
) {
    walk(
        before.virtual_servers,
        after.virtual_servers,
        kFirst,
        [&](const auto& gone) { release(service, gone.first); },
        [&](const auto& come) { claim(service, come.first, come.second); },
        [&](const auto& old, const auto& fresh) {
            replace(service, old.first, old.second, fresh.second);
        }
    );
    walk(
        before.addresses,
        after.addresses,
        kItself,
        [&](const net::IpAddress& gone) {
            Place& place = places_[gone];
            --place.claims;
            judge(gone, place);
            mark(gone, place);
        },
        [&](const net::IpAddress& come) {
            Place& place = places_[come];
            ++place.claims;
            judge(come, place);
            mark(come, place);
        },
        [](const auto&, const auto&) {}
    );
    walk(
        before.entries,
        after.entries,
        kFirst,
        [&](const auto& gone) { release(service, gone.first); },
        [&](const auto& come) { claim(service, come.first, come.second); },
        [&](const auto& old, const auto& fresh) {
            if (old.second != fresh.second) {
                release(service, old.first);
                claim(service, fresh.first, fresh.second);
            }
        }
    );
}

void Ledger::claim(
    const kube::ObjectKey& service, const VirtualServerKey& key, VirtualServerRef server
) {
    Server& record = servers_[key];
    if (record.owner != nullptr && *record.owner < service) {
        rivals_[key][service] = std::move(server);
        return;
    }
    if (record.owner != nullptr) {
        rivals_[key][*record.owner] = record.wanted;
    }
    record.owner = &service;
    record.wanted = std::move(server);
    count_serving(key, record);
    mark(key, record);
}

void Ledger::release(const kube::ObjectKey& service, const VirtualServerKey& key) {
    Server& record = servers_[key];
    const auto rivals = rivals_.find(key);
    if (record.owner == &service) {
        record.owner = nullptr;
        record.wanted = VirtualServerRef();
        if (rivals != rivals_.end()) {
            const auto heir = rivals->second.begin();
            record.owner = &services_.find(heir->first)->first;
            record.wanted = heir->second;
            rivals->second.erase(heir);
        }
        count_serving(key, record);
        mark(key, record);
    } else if (rivals != rivals_.end()) {
        rivals->second.erase(service);
    }
    if (rivals != rivals_.end() && rivals->second.empty()) {
        rivals_.erase(rivals);
    }
}

void Ledger::replace(
    const kube::ObjectKey& service,
    const VirtualServerKey& key,
    const VirtualServerRef& before,
    const VirtualServerRef& after
) {
    Server& record = servers_[key];
    if (record.owner != &service) {
        rivals_[key][service] = after;
        return;
    }
    const bool same = before == after;
    record.wanted = after;
    if (same) {
        if (record.found && record.found.is(before)) {
            record.found = after;
        }
        return;
    }
    // Whose pod was on its way out has had its time.
    for (const auto& [endpoint, weight] : before->real_servers) {
        if (weight == 0 && !after->real_servers.contains(endpoint)) {
            drains_.expire({key, endpoint});
        }
    }
    count_serving(key, record);
    mark(key, record);
}

void Ledger::claim(const kube::ObjectKey& service, const SetElement& element, std::uint32_t value) {
    Member& member = members_[element];
    ++member.claims;
    if (has_marks(element.set.name)) {
        auto& claims = marks_[element];
        claims[service] = value;
        member.wanted_mark = claims.begin()->second;
    }
    mark(element, member);
}

void Ledger::release(const kube::ObjectKey& service, const SetElement& element) {
    Member& member = members_[element];
    --member.claims;
    if (const auto claims = marks_.find(element); claims != marks_.end()) {
        claims->second.erase(service);
        if (claims->second.empty()) {
            marks_.erase(claims);
        } else {
            member.wanted_mark = claims->second.begin()->second;
        }
    }
    mark(element, member);
}

void Ledger::mark(const VirtualServerKey& key, Server& record) {
    if (!std::exchange(record.suspect, true)) {
        suspect_servers_.push_back(key);
    }
}

void Ledger::mark(const net::IpAddress& address, Place& record) {
    if (!std::exchange(record.suspect, true)) {
        suspect_places_.push_back(address);
    }
}

void Ledger::mark(const SetElement& element, Member& record) {
    if (!std::exchange(record.suspect, true)) {
        suspect_members_.push_back(element);
    }
}

KernelTables Ledger::wanted() const {
    KernelTables tables;
    for (const auto& [key, server] : servers_) {
        if (server.wanted) {
            tables.virtual_servers[key] = *server.wanted;
        }
    }
    for (const auto& [address, place] : places_) {
        if (place.claims > 0) {
            (place.way == Way::Route ? tables.routes : tables.addresses).insert(address);
        }
    }
    for (const auto& [element, member] : members_) {
        if (member.claims > 0) {
            tables.sets[element.set][element.entry] = member.wanted_mark;
        }
    }
    return tables;
}

}  // namespace steelyard::proxy
