#include "speaker/proxy/diff/diff.hpp"

#include <array>
#include <utility>

namespace steelyard::proxy {
namespace {

// Operations by phase; joining the phases in this order is the ordering promise of diff.hpp.
struct Phases {
    std::vector<Op> entries_in;
    std::vector<Op> servers_in;
    std::vector<Op> addresses_in;
    std::vector<Op> real_servers_out;
    std::vector<Op> addresses_out;
    std::vector<Op> servers_out;
    std::vector<Op> entries_out;

    std::vector<Op> join() {
        std::vector<Op> ops;
        for (std::vector<Op>* phase :
             {&entries_in,
              &servers_in,
              &addresses_in,
              &real_servers_out,
              &addresses_out,
              &servers_out,
              &entries_out}) {
            ops.insert(
                ops.end(),
                std::make_move_iterator(phase->begin()),
                std::make_move_iterator(phase->end())
            );
        }
        return ops;
    }
};

class Differ {
public:
    Differ(
        const KernelTables& desired, const KernelTables& observed, const Drains& drains, Instant now
    )
        : desired_(desired), observed_(observed), drains_(drains), now_(now) {}

    void virtual_server(const VirtualServerKey& key) {
        const auto wanted = desired_.virtual_servers.find(key);
        const auto found = observed_.virtual_servers.find(key);
        if (wanted == desired_.virtual_servers.end()) {
            if (found != observed_.virtual_servers.end()) {
                phases_.servers_out.push_back(RemoveVirtualServer{key});
            }
            return;
        }
        static const RealServers kNone;
        const bool exists = found != observed_.virtual_servers.end();
        const Scheduling& scheduling = wanted->second.scheduling;
        if (!exists) {
            phases_.servers_in.push_back(AddVirtualServer{key, scheduling});
        } else if (found->second.scheduling != scheduling) {
            phases_.servers_in.push_back(SetVirtualServer{key, scheduling});
        }
        real_servers(key, wanted->second.real_servers, exists ? found->second.real_servers : kNone);
    }

    void address(const net::IpAddress& address) {
        const bool wanted = desired_.addresses.contains(address);
        const bool found = observed_.addresses.contains(address);
        if (wanted && !found) {
            phases_.addresses_in.push_back(AddAddress{address});
        } else if (found && !wanted) {
            phases_.addresses_out.push_back(RemoveAddress{address});
        }
    }

    void entry(const SetId& set, const SetEntry& entry) {
        const auto wanted = mark_of(desired_, set, entry);
        const auto found = mark_of(observed_, set, entry);
        if (wanted && wanted != found) {
            phases_.entries_in.push_back(AddSetEntry{set, entry, *wanted});
        } else if (found && !wanted) {
            phases_.entries_out.push_back(RemoveSetEntry{set, entry});
        }
    }

    std::vector<Op> take() { return phases_.join(); }

private:
    static std::optional<std::uint32_t> mark_of(
        const KernelTables& tables, const SetId& set, const SetEntry& entry
    ) {
        const auto members = tables.sets.find(set);
        if (members == tables.sets.end()) {
            return std::nullopt;
        }
        const auto found = members->second.find(entry);
        return found == members->second.end() ? std::nullopt : std::optional(found->second);
    }

    void real_servers(
        const VirtualServerKey& key, const RealServers& wanted, const RealServers& found
    ) {
        for (const auto& [endpoint, weight] : wanted) {
            const auto present = found.find(endpoint);
            if (present == found.end()) {
                phases_.servers_in.push_back(AddRealServer{key, endpoint, weight});
            } else if (present->second != weight) {
                phases_.servers_in.push_back(SetRealServer{key, endpoint, weight});
            }
        }
        for (const auto& [endpoint, weight] : found) {
            if (!wanted.contains(endpoint)) {
                retire(key, endpoint, weight);
            }
        }
    }

    void retire(const VirtualServerKey& key, const net::Endpoint& endpoint, std::uint32_t weight) {
        // SCTP too leaves at once, as under kube-proxy.
        const bool drainable = key.protocol == net::Protocol::Tcp;
        if (!drainable || drains_.is_due({key, endpoint}, now_)) {
            phases_.real_servers_out.push_back(RemoveRealServer{key, endpoint});
        } else if (weight > 0) {
            phases_.real_servers_out.push_back(SetRealServer{key, endpoint, 0});
        }
    }

    const KernelTables& desired_;
    const KernelTables& observed_;
    const Drains& drains_;
    const Instant now_;
    Phases phases_;
};

}  // namespace

std::vector<Op> diff(
    const KernelTables& desired, const KernelTables& observed, const Drains& drains, Instant now
) {
    Touched everything;
    for (const KernelTables* tables : {&desired, &observed}) {
        for (const auto& [key, server] : tables->virtual_servers) {
            everything.virtual_servers.insert(key);
        }
        everything.addresses.insert(tables->addresses.begin(), tables->addresses.end());
        for (const auto& [set, entries] : tables->sets) {
            for (const auto& [entry, mark] : entries) {
                everything.entries.insert({set, entry});
            }
        }
    }
    return diff(desired, observed, drains, now, everything);
}

std::vector<Op> diff(
    const KernelTables& desired,
    const KernelTables& observed,
    const Drains& drains,
    Instant now,
    const Touched& touched
) {
    Differ differ(desired, observed, drains, now);
    for (const VirtualServerKey& key : touched.virtual_servers) {
        differ.virtual_server(key);
    }
    for (const net::IpAddress& address : touched.addresses) {
        differ.address(address);
    }
    for (const auto& [set, entry] : touched.entries) {
        differ.entry(set, entry);
    }
    return differ.take();
}

}  // namespace steelyard::proxy
