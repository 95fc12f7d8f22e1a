#include "speaker/proxy/diff/diff.hpp"

namespace steelyard::proxy {
namespace {

template <class... Fs>
struct Overloaded : Fs... {
    using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

std::string format(const SetId& set, const SetEntry& entry) {
    std::string text = set_name(set) + " ";
    if (set_type(set.name) == SetType::BitmapPort) {
        return text + std::to_string(entry.port);
    }
    text += net::to_string(entry.ip);
    if (set_type(set.name) == SetType::HashIp) {
        return text;
    }
    text += "," + std::string(net::to_string(entry.protocol)) + ":" + std::to_string(entry.port);
    if (entry.second_ip) {
        text += "," + net::to_string(*entry.second_ip);
    }
    if (entry.prefix_length > 0) {
        text += "/" + std::to_string(entry.prefix_length);
    }
    return text;
}

std::string format(const VirtualServerKey& key, const net::Endpoint& endpoint) {
    return to_string(key) + " -> " + net::to_string(endpoint);
}

}  // namespace

std::string to_string(const Op& op) {
    return std::visit(
        Overloaded{
            [](const AddSetEntry& o) { return "add " + format(o.set, o.entry); },
            [](const RemoveSetEntry& o) { return "remove " + format(o.set, o.entry); },
            [](const AddAddress& o) { return "add address " + net::to_string(o.address); },
            [](const RemoveAddress& o) { return "remove address " + net::to_string(o.address); },
            [](const AddRoute& o) { return "add route to " + net::to_string(o.address); },
            [](const RemoveRoute& o) { return "remove route to " + net::to_string(o.address); },
            [](const AddVirtualServer& o) { return "add virtual server " + to_string(o.key); },
            [](const SetVirtualServer& o) { return "set virtual server " + to_string(o.key); },
            [](const RemoveVirtualServer& o) {
                return "remove virtual server " + to_string(o.key);
            },
            [](const AddRealServer& o) {
                return "add real server " + format(o.key, o.endpoint) + " weight " +
                       std::to_string(o.weight);
            },
            [](const SetRealServer& o) {
                return "set real server " + format(o.key, o.endpoint) + " weight " +
                       std::to_string(o.weight);
            },
            [](const RemoveRealServer& o) {
                return "remove real server " + format(o.key, o.endpoint);
            },
        },
        op
    );
}

void apply(const Op& op, KernelTables& tables) {
    std::visit(
        Overloaded{
            [&](const AddSetEntry& o) { tables.sets[o.set][o.entry] = o.mark; },
            [&](const RemoveSetEntry& o) {
                const auto found = tables.sets.find(o.set);
                if (found == tables.sets.end()) {
                    return;
                }
                found->second.erase(o.entry);
                if (found->second.empty()) {
                    tables.sets.erase(found);
                }
            },
            [&](const AddAddress& o) { tables.addresses.insert(o.address); },
            [&](const RemoveAddress& o) { tables.addresses.erase(o.address); },
            [&](const AddRoute& o) { tables.routes.insert(o.address); },
            [&](const RemoveRoute& o) { tables.routes.erase(o.address); },
            [&](const AddVirtualServer& o) {
                tables.virtual_servers[o.key].scheduling = o.scheduling;
            },
            [&](const SetVirtualServer& o) {
                tables.virtual_servers[o.key].scheduling = o.scheduling;
            },
            [&](const RemoveVirtualServer& o) { tables.virtual_servers.erase(o.key); },
            [&](const AddRealServer& o) {
                tables.virtual_servers[o.key].real_servers[o.endpoint] = o.weight;
            },
            [&](const SetRealServer& o) {
                tables.virtual_servers[o.key].real_servers[o.endpoint] = o.weight;
            },
            [&](const RemoveRealServer& o) {
                const auto found = tables.virtual_servers.find(o.key);
                if (found != tables.virtual_servers.end()) {
                    found->second.real_servers.erase(o.endpoint);
                }
            },
        },
        op
    );
}

}  // namespace steelyard::proxy
