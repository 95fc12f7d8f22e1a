#pragma once

#include "common/base/error.hpp"
#include "common/rt/asio.hpp"
#include "speaker/io/netlink/socket.hpp"
#include "speaker/proxy/diff/diff.hpp"
#include "speaker/proxy/rules/rules.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

// The three kernel subsystems the proxy programs, behind "read it all" and "do these operations".
namespace steelyard::dataplane {

// What happened to each operation: "" for done, else one line.
struct Outcome {
    std::vector<std::string> failures;
    std::size_t sends = 0;
    // Something was there that should not have been, or the other way round: read it all again.
    bool drifted = false;
};

class Kernel {
public:
    Kernel(
        const asio::any_io_executor& executor,
        const proxy::ProxyConfig& config,
        const proxy::Names& names
    );

    // Opens the sockets, writes settings, creates the link and the sets.
    awaitable<Result<>> prepare();
    // Everything of ours: in full mode every virtual server outside exclude_cidrs, in load-balancer
    // mode those whose address is on our link.
    awaitable<Result<proxy::KernelTables>> read();
    // In order; neighbours that go to the same subsystem share a send.
    awaitable<Result<Outcome>> execute(const std::vector<proxy::Op>& ops);
    // Destroys the link and the sets; rules that use them must be gone.
    awaitable<Result<>> remove();

private:
    enum class Subsystem { Ipvs, Ipset, Route };

    awaitable<Result<>> open_sockets();
    awaitable<Result<>> find_ipvs();
    awaitable<Result<>> ensure_link();
    awaitable<Result<>> ensure_sets();
    awaitable<Result<>> probe_scheduler();
    awaitable<Result<>> read_addresses(proxy::KernelTables& tables);
    awaitable<Result<>> read_sets(proxy::KernelTables& tables);
    awaitable<Result<>> read_servers(proxy::KernelTables& tables);
    [[nodiscard]] bool owns(const proxy::VirtualServerKey& key, const proxy::KernelTables& tables)
        const;
    [[nodiscard]] static Subsystem subsystem_of(const proxy::Op& op);
    [[nodiscard]] netlink::Bytes encode(const proxy::Op& op) const;
    [[nodiscard]] netlink::RequestSocket& socket_of(Subsystem subsystem);

    asio::any_io_executor executor_;
    proxy::ProxyConfig config_;
    proxy::Names names_;
    std::unique_ptr<netlink::RequestSocket> ipvs_;
    std::unique_ptr<netlink::RequestSocket> ipset_;
    std::unique_ptr<netlink::RequestSocket> route_;
    std::uint16_t ipvs_family_ = 0;
    unsigned link_index_ = 0;
};

}  // namespace steelyard::dataplane
