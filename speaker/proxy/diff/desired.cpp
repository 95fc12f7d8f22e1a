#include "speaker/proxy/diff/desired.hpp"

namespace steelyard::proxy {
namespace {

template <class Map, class Key>
void release(Map& counts, const Key& key) {
    const auto found = counts.find(key);
    if (--found->second == 0) {
        counts.erase(found);
    }
}

}  // namespace

bool Touched::empty() const {
    return virtual_servers.empty() && addresses.empty() && entries.empty();
}

Touched Desired::update(std::shared_ptr<const Tables> tables) {
    Touched touched;
    auto before = applied_->services.begin();
    const auto before_end = applied_->services.end();
    auto after = tables->services.begin();
    const auto after_end = tables->services.end();
    while (before != before_end || after != after_end) {
        if (after == after_end || (before != before_end && before->first < after->first)) {
            remove(before->first, *before->second, touched);
            ++before;
        } else if (before == before_end || after->first < before->first) {
            add(after->first, *after->second, touched);
            ++after;
        } else {
            if (before->second != after->second) {
                remove(before->first, *before->second, touched);
                add(after->first, *after->second, touched);
            }
            ++before;
            ++after;
        }
    }
    settle(touched);
    applied_ = std::move(tables);
    return touched;
}

void Desired::add(const kube::ObjectKey& service, const ServiceTables& tables, Touched& touched) {
    for (const auto& [key, server] : tables.virtual_servers) {
        servers_[key][service] = &*server;
        touched.virtual_servers.insert(key);
    }
    for (const net::IpAddress& address : tables.addresses) {
        ++addresses_[address];
        touched.addresses.insert(address);
    }
    for (const auto& [element, mark] : tables.entries) {
        ++entries_[element][mark];
        touched.entries.insert(element);
    }
}

void Desired::remove(
    const kube::ObjectKey& service, const ServiceTables& tables, Touched& touched
) {
    for (const auto& [key, server] : tables.virtual_servers) {
        const auto claims = servers_.find(key);
        claims->second.erase(service);
        if (claims->second.empty()) {
            servers_.erase(claims);
        }
        touched.virtual_servers.insert(key);
    }
    for (const net::IpAddress& address : tables.addresses) {
        release(addresses_, address);
        touched.addresses.insert(address);
    }
    for (const auto& [element, mark] : tables.entries) {
        const auto found = entries_.find(element);
        release(found->second, mark);
        if (found->second.empty()) {
            entries_.erase(found);
        }
        touched.entries.insert(element);
    }
}

void Desired::settle(const Touched& touched) {
    for (const VirtualServerKey& key : touched.virtual_servers) {
        const auto claims = servers_.find(key);
        if (claims == servers_.end()) {
            merged_.virtual_servers.erase(key);
        } else {
            merged_.virtual_servers[key] = *claims->second.begin()->second;
        }
    }
    for (const net::IpAddress& address : touched.addresses) {
        if (addresses_.contains(address)) {
            merged_.addresses.insert(address);
        } else {
            merged_.addresses.erase(address);
        }
    }
    for (const SetElement& element : touched.entries) {
        if (const auto wanted = entries_.find(element); wanted != entries_.end()) {
            merged_.sets[element.set][element.entry] = wanted->second.begin()->first;
        } else if (const auto found = merged_.sets.find(element.set); found != merged_.sets.end()) {
            found->second.erase(element.entry);
            if (found->second.empty()) {
                merged_.sets.erase(found);
            }
        }
    }
}

}  // namespace steelyard::proxy
