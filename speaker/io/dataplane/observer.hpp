#pragma once

#include "speaker/proxy/tables.hpp"

#include <cstdint>
#include <optional>

// Takes in what a reading of the kernel finds, object by object as it is decoded, so that an audit
// compares without a second copy of everything. Arguments live only during the call.
namespace steelyard::dataplane {

class Observer {
public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    virtual ~Observer() = default;

    // Whether a virtual server is to be shown that by its address would be somebody else's.
    [[nodiscard]] virtual bool owns(const proxy::VirtualServerKey& /*key*/) const { return false; }
    virtual void virtual_server(
        const proxy::VirtualServerKey& key,
        const proxy::Scheduling& scheduling,
        const proxy::RealServers& real_servers
    ) = 0;
    virtual void address(const net::IpAddress& address) = 0;
    virtual void route(
        const net::IpAddress& address, const std::optional<net::IpAddress>& source
    ) = 0;
    virtual void entry(
        const proxy::SetId& set, const proxy::SetEntry& entry, std::uint32_t mark
    ) = 0;
};

}  // namespace steelyard::dataplane
