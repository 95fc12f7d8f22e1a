#include "controller/ipam/holdings.hpp"

#include "common/base/check.hpp"

namespace steelyard::ipam {
namespace {

std::size_t hash_of(const kube::ObjectKey& key) {
    const std::hash<std::string> hash;
    return hash(key.name) ^ (hash(key.ns) * 0x9e3779b97f4a7c15ULL);
}

std::size_t hash_of(const net::IpAddress& address) {
    return std::hash<net::IpAddress>()(address);
}

std::size_t slot_of(const Holding& holding, const net::IpAddress& address) {
    return holding.addresses.list()[0] == address ? 0 : 1;
}

}  // namespace

std::uint32_t Holdings::number_of(const kube::ObjectKey& service) const {
    return by_service_.find(hash_of(service), [&](std::uint32_t number) {
        return table_[number].service == service;
    });
}

std::uint32_t Holdings::head_of(const net::IpAddress& address) const {
    return by_address_.find(hash_of(address), [&](std::uint32_t number) {
        return table_[number].addresses.contains(address);
    });
}

Holding* Holdings::find(const kube::ObjectKey& service) {
    const std::uint32_t number = number_of(service);
    return number == Index::kNone ? nullptr : &table_[number];
}

const Holding* Holdings::find(const kube::ObjectKey& service) const {
    const std::uint32_t number = number_of(service);
    return number == Index::kNone ? nullptr : &table_[number];
}

const Holding* Holdings::first_holder(const net::IpAddress& address) const {
    const std::uint32_t number = head_of(address);
    return number == Index::kNone ? nullptr : &table_[number];
}

const Holding* Holdings::next_holder(const Holding& holding, const net::IpAddress& address) const {
    const std::uint32_t number = holding.next.at(slot_of(holding, address));
    return number == Index::kNone ? nullptr : &table_[number];
}

Holding& Holdings::insert(const kube::ObjectKey& service, const Addresses& addresses) {
    SY_CHECK(addresses.size() > 0, "a holding holds something");
    std::uint32_t number = static_cast<std::uint32_t>(table_.size());
    if (unused_.empty()) {
        table_.emplace_back();
    } else {
        number = unused_.back();
        unused_.pop_back();
    }
    Holding& holding = table_[number];
    holding.service = service;
    holding.addresses = addresses;
    by_service_.insert(hash_of(service), number);
    for (const net::IpAddress& address : addresses.list()) {
        link(number, address);
    }
    return holding;
}

void Holdings::erase(const kube::ObjectKey& service) {
    const std::uint32_t number = number_of(service);
    SY_CHECK(number != Index::kNone, "the Service holds something");
    for (const net::IpAddress& address : table_[number].addresses.list()) {
        unlink(number, address);
    }
    by_service_.erase(hash_of(service), number);
    table_[number] = {};
    unused_.push_back(number);
}

std::uint32_t& Holdings::next_of(std::uint32_t number, const net::IpAddress& address) {
    Holding& holding = table_[number];
    return holding.next.at(slot_of(holding, address));
}

void Holdings::link(std::uint32_t number, const net::IpAddress& address) {
    const std::uint32_t head = head_of(address);
    if (head == Index::kNone) {
        by_address_.insert(hash_of(address), number);
        return;
    }
    const kube::ObjectKey& service = table_[number].service;
    if (service < table_[head].service) {
        next_of(number, address) = head;
        by_address_.replace(hash_of(address), head, number);
        return;
    }
    std::uint32_t before = head;
    std::uint32_t after = next_of(before, address);
    while (after != Index::kNone && table_[after].service < service) {
        before = after;
        after = next_of(before, address);
    }
    next_of(number, address) = after;
    next_of(before, address) = number;
}

void Holdings::unlink(std::uint32_t number, const net::IpAddress& address) {
    const std::uint32_t after = next_of(number, address);
    std::uint32_t before = head_of(address);
    if (before == number) {
        if (after == Index::kNone) {
            by_address_.erase(hash_of(address), number);
        } else {
            by_address_.replace(hash_of(address), number, after);
        }
        return;
    }
    while (next_of(before, address) != number) {
        before = next_of(before, address);
    }
    next_of(before, address) = after;
}

}  // namespace steelyard::ipam
