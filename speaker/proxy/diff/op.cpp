#include "speaker/proxy/diff/op.hpp"

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
    const SetType type = set_type(set.name);
    if (type == SetType::BitmapPort) {
        return text + std::to_string(entry.port);
    }
    text += net::to_string(entry.ip);
    if (type != SetType::HashIp && type != SetType::HashNet) {
        text +=
            "," + std::string(net::to_string(entry.protocol)) + ":" + std::to_string(entry.port);
    }
    if (entry.second_ip) {
        text += "," + net::to_string(*entry.second_ip);
    }
    if (type == SetType::HashNet || type == SetType::HashIpPortNet) {
        text += "/" + std::to_string(entry.prefix_length);
    }
    return text;
}

std::string format(const VirtualServerKey& key, const net::Endpoint& endpoint) {
    return to_string(key) + " -> " + net::to_string(endpoint);
}

std::string hexadecimal(std::uint32_t mark) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (int shift = 28; shift >= 0; shift -= 4) {
        text += kDigits[(mark >> static_cast<unsigned>(shift)) & 0xfU];
    }
    return "0x" + text;
}

}  // namespace

std::string to_string(const Op& op) {
    return std::visit(
        Overloaded{
            [](const AddSetEntry& o) {
                return "add " + format(o.set, o.entry) +
                       (o.mark != 0 ? " mark " + hexadecimal(o.mark) : "");
            },
            [](const RemoveSetEntry& o) { return "remove " + format(o.set, o.entry); },
            [](const AddAddress& o) { return "add address " + net::to_string(o.address); },
            [](const RemoveAddress& o) { return "remove address " + net::to_string(o.address); },
            [](const AddRoute& o) { return "add route " + net::to_string(o.address); },
            [](const RemoveRoute& o) { return "remove route " + net::to_string(o.address); },
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

Object object_of(const Op& op) {
    return std::visit(
        Overloaded{
            [](const AddSetEntry& o) {
                return Object(SetElement{o.set, o.entry});
            },
            [](const RemoveSetEntry& o) {
                return Object(SetElement{o.set, o.entry});
            },
            [](const AddAddress& o) { return Object(o.address); },
            [](const RemoveAddress& o) { return Object(o.address); },
            [](const AddRoute& o) { return Object(o.address); },
            [](const RemoveRoute& o) { return Object(o.address); },
            [](const auto& o) { return Object(o.key); },
        },
        op
    );
}

std::string to_string(const Object& object) {
    return std::visit(
        Overloaded{
            [](const VirtualServerKey& key) { return "virtual server " + to_string(key); },
            [](const net::IpAddress& address) { return "address " + net::to_string(address); },
            [](const SetElement& element) { return format(element.set, element.entry); },
        },
        object
    );
}

void apply(const Op& op, KernelTables& tables) {
    std::visit(
        Overloaded{
            [&](const AddSetEntry& o) { tables.sets[o.set][o.entry] = o.mark; },
            [&](const RemoveSetEntry& o) {
                tables.sets[o.set].erase(o.entry);
                if (tables.sets[o.set].empty()) {
                    tables.sets.erase(o.set);
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
                tables.virtual_servers[o.key].real_servers.erase(o.endpoint);
            },
        },
        op
    );
}

}  // namespace steelyard::proxy
